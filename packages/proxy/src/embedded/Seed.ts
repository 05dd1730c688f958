/** A customer to try the proxy with when no Postgres is there to know any: a Pro allowance that begins now. */
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { CustomerId } from "@berth/domain/Ids"
import { hashOf, mint } from "@berth/domain/ProxyToken"
import { tiers } from "@berth/domain/Tiers"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

export interface Seed {
  readonly customerId: CustomerId
  readonly token: Redacted.Redacted<string>
  readonly source: Layer.Layer<AllowanceSource>
}

const month = 30 * 24 * 3_600_000

/** `random`: 32 bytes; `now`: epoch ms. */
export const seed = (random: Uint8Array, now: number): Seed => {
  const customerId = CustomerId.make("try-me")
  const token = mint(random)
  const { monthlyTokens: plan, backgroundTokens: backgroundCap } = tiers.pro
  return {
    customerId,
    token,
    source: AllowanceSource.layerMemory([
      {
        customerId,
        rev: 1,
        period: 0,
        periodEnd: now + month,
        packs: 0,
        used: 0,
        background: 0,
        today: { day: 0, used: 0 },
        older: [],
        recorded: { epoch: "", cursor: "0-0" },
        terms: {
          tier: "pro",
          plan,
          nextPlan: plan,
          anchor: now,
          serviceUntil: now + 12 * month,
          paused: false,
          blocked: false,
          dailyCap: null,
          backgroundCap,
          tokens: [hashOf(Redacted.value(token))],
        },
      },
    ]),
  }
}

/** What to type to try it. The token is worth nothing anywhere else. */
export const tryIt = (one: Seed, port: number): ReadonlyArray<string> => [
  `customer ${one.customerId}, token ${Redacted.value(one.token)}`,
  `curl -N http://127.0.0.1:${port}/v1/chat/completions -H 'content-type: application/json' \\`,
  `  -H 'authorization: Bearer ${Redacted.value(one.token)}' \\`,
  `  -d '{"model":"kimi-k2.6","stream":true,"messages":[{"role":"user","content":"Write Python for me"}]}'`,
]
