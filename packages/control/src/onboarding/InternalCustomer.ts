/**
 * Berth's own account at the token-proxy, `berth-onboarding`: what the conversation uses is metered like a customer's.
 * Safe at every start: rows that stand are left, and the given token becomes the one live one.
 */
import * as Period from "@berth/domain/Allowance/Period"
import { CustomerId } from "@berth/domain/Ids"
import { hashOf, mint } from "@berth/domain/ProxyToken"
import { tiers } from "@berth/domain/Tiers"
import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { Allowances } from "../billing/Allowances.ts"

export const internalCustomer = CustomerId.make("berth-onboarding")
/** Service never ends: as good as that, in ms. */
const century = 100 * 365 * 86_400_000

/** A token for a process that was given none. */
export const mintToken = Effect.gen(function* () {
  const random = yield* SecureRandom.SecureRandom
  // allow(pure): this is the port
  return mint(yield* random.randomBytes(32))
})

/** Makes `token` the account's live one; the allowance with it. Other parts of Berth see it through the outbox. */
export const ensure = Effect.fn("InternalCustomer.ensure")(function* (token: Redacted.Redacted<string>) {
  const sql = yield* SqlClient
  const allowances = yield* Allowances
  const now = yield* Clock.currentTimeMillis
  const hash = hashOf(Redacted.value(token))
  const plan = tiers.internal.monthlyTokens
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES (${internalCustomer}, 'internal', ${now})
        ON CONFLICT (id) DO NOTHING`
      yield* sql`SELECT 1 FROM accounts WHERE id = ${internalCustomer} FOR UPDATE`
      const revoked = yield* sql`UPDATE proxy_tokens SET state = 'revoked'
        WHERE customer_id = ${internalCustomer} AND state = 'live' AND hash <> ${hash} RETURNING hash`
      const added = yield* sql`INSERT INTO proxy_tokens (hash, customer_id, state, created_at)
        VALUES (${hash}, ${internalCustomer}, 'live', ${now})
        ON CONFLICT (hash) DO UPDATE SET state = 'live' WHERE proxy_tokens.state <> 'live' RETURNING hash`
      const known = yield* sql`SELECT 1 FROM allowances WHERE customer_id = ${internalCustomer}`
      if (known.length === 0) {
        const standing = { tier: "internal" as const, plan, nextPlan: plan, packs: 0, anchor: now }
        yield* allowances.open(
          internalCustomer,
          { ...standing, serviceUntil: now + century, paused: false, blocked: false, dailyCap: null },
          { startsAt: now, endsAt: Period.boundaryAfter(now, now), provisional: false },
        )
      } else if (revoked.length + added.length > 0) {
        yield* allowances.tokensChanged(internalCustomer)
      }
    }),
  )
})
