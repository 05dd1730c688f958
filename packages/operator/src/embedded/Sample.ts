/** One customer's job, so that an operator that runs alone on embedded ports has something to show. */
import { randomBytes } from "node:crypto"
import { CustomerId } from "@berth/domain/Ids"
import { type Job, JobJson } from "@berth/domain/Jobs"
import { JobQueue } from "@berth/domain/JobQueue"
import { mint } from "@berth/domain/ProxyToken"
import { Sealer } from "@berth/domain/Seal"
import * as Age from "age-encryption"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const customerId = CustomerId.make("sample")

const desired: Job["desired"] = {
  tier: "starter",
  models: ["kimi-k2.6", "kimi-k2.7-code"],
  imageChannel: "stable",
  telegram: { botUsername: "sample_bot", allowedUserIds: ["4242"] },
  suspended: [],
  secrets: { proxyToken: 1, botToken: 1, gatewayToken: 1 },
}

/** Enqueues the job and says in a line what was asked for. */
export const pushSample = Effect.fn("Sample.push")(function* (identity: Redacted.Redacted<string>) {
  const recipient = yield* Effect.promise(() => Age.identityToRecipient(Redacted.value(identity)))
  const random = () => randomBytes(24).toString("base64url")
  const job = yield* Effect.gen(function* () {
    const sealer = yield* Sealer
    const seal = (purpose: keyof Job["desired"]["secrets"], value: Redacted.Redacted<string>) =>
      sealer.seal({ customerId, purpose, version: 1 }, value)
    return {
      v: 1,
      id: "sample-1",
      reason: "provision",
      customerId,
      generation: 1,
      desired,
      sealed: [
        yield* seal("proxyToken", mint(randomBytes(32))),
        yield* seal("botToken", Redacted.make(`4242:${random()}`)),
        yield* seal("gatewayToken", Redacted.make(random())),
      ],
      enqueuedAt: yield* Clock.currentTimeMillis,
    } satisfies Job
  }).pipe(Effect.provide(Sealer.layer(recipient)))
  const queue = yield* JobQueue
  yield* queue.push(yield* Schema.encodeEffect(JobJson)(job).pipe(Effect.orDie))
  return `a sample job is enqueued: customer "${customerId}", tier ${desired.tier}, bot @${desired.telegram.botUsername}`
})
