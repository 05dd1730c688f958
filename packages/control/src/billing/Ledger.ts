/** Entries of the ledger that billing writes beside usage: tokens granted and taken back. Append-only; a source id happens once. */
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export interface Movement {
  readonly sourceId: string
  readonly customerId: CustomerId
  /** The running period. */
  readonly period: number
  readonly pool: "plan" | "packs"
  /** Granted if positive, taken back if negative. */
  readonly tokens: number
}

/** Joins the caller's transaction; false if that source has moved tokens already. */
export const write = Effect.fn("Ledger.write")(function* (movement: Movement) {
  const sql = yield* SqlClient
  const at = yield* Clock.currentTimeMillis
  const { sourceId, customerId, period, pool, tokens } = movement
  const written = yield* sql`
    INSERT INTO ledger_entries (source_id, customer_id, kind, period, pool, tokens, at)
    VALUES (${sourceId}, ${customerId}, ${tokens < 0 ? "reversal" : "grant"}, ${period}, ${pool}, ${tokens}, ${at})
    ON CONFLICT (source_id) DO NOTHING RETURNING id`
  return written.length > 0
})
