/**
 * The customer's own cap on what may be charged in one UTC day. It is a change of the allowance like any other: numbered,
 * carried through the outbox, and kept by the admission step of every proxy.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { NotFound, Rejected } from "../api/Api.ts"
import { grouped } from "../notify/TokenWords.ts"
import { Allowances } from "./Allowances.ts"
import { Audit } from "./Audit.ts"

/** An agent's call holds some 20,000 tokens before it is known what it used: below this it could hardly make one a day. */
export const leastCap = 50_000

/** Why a cap can't be set, in words for the customer; undefined if it can. Pure. */
export const refusal = (cap: number | null, limit: number): string | undefined => {
  if (cap === null) return undefined
  if (cap < leastCap)
    return `A daily cap is at least ${grouped(leastCap)} tokens: with less your agent could not answer.`
  return cap > limit
    ? `A daily cap is at most your month's ${grouped(limit)} tokens. Clear it to go without one.`
    : undefined
}

/** Sets the cap, or clears it with null. */
export const set = Effect.fn("DailyCap.set")(function* (customerId: CustomerId, cap: number | null) {
  const sql = yield* SqlClient
  const allowances = yield* Allowances
  const audit = yield* Audit
  return yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`SELECT 1 FROM accounts WHERE id = ${customerId} FOR NO KEY UPDATE`
      const [allowance] = yield* sql<{ readonly limit: number }>`
        SELECT plan + packs AS "limit" FROM allowances WHERE customer_id = ${customerId}`
      if (allowance === undefined) return yield* new NotFound({ message: "You have no allowance yet." })
      const message = refusal(cap, allowance.limit)
      if (message !== undefined) return yield* new Rejected({ message })
      yield* allowances.change(customerId, { dailyCap: cap })
      yield* audit.write(customerId, "allowance.dailyCap", customerId, { cap })
    }),
  )
})
