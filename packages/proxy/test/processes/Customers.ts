/** Puts customers of a test into Postgres, as billing would have left them. */
import * as Postgres from "@berth/domain/live/Postgres"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Redacted from "effect/Redacted"
import type { Customer } from "../World.ts"

/** Writes account, tokens, allowance and periods of each; what they have used stands in the ledger. */
export const insert = Effect.fn("Customers.insert")(function* (
  databaseUrl: string,
  customers: ReadonlyArray<Customer>,
) {
  yield* Effect.gen(function* () {
    const sql = yield* SqlClient
    for (const { customerId, snapshot } of customers) {
      const { terms, rev, packs, period, periodEnd, used } = snapshot
      yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES (${customerId}, 'customer', 0)`
      for (const hash of terms.tokens) {
        yield* sql`INSERT INTO proxy_tokens (hash, customer_id, state, created_at) VALUES (${hash}, ${customerId}, 'live', 0)`
      }
      yield* sql`
        INSERT INTO allowances (customer_id, rev, tier, plan, next_plan, packs, anchor, service_until, paused, blocked,
                                daily_cap, background_cap)
        VALUES (${customerId}, ${rev}, ${terms.tier}, ${terms.plan}, ${terms.nextPlan}, ${packs}, ${terms.anchor},
                ${terms.serviceUntil}, ${terms.paused}, ${terms.blocked}, ${terms.dailyCap}, ${terms.backgroundCap})`
      yield* sql`
        INSERT INTO allowance_periods (customer_id, number, starts_at, ends_at, plan, provisional)
        VALUES (${customerId}, ${period}, 0, ${periodEnd}, ${terms.plan}, false)`
      if (used > 0) {
        yield* sql`
          INSERT INTO ledger_entries (source_id, customer_id, kind, period, tokens, at)
          VALUES (${`before:${customerId}`}, ${customerId}, 'usage', ${period}, ${used}, 0)`
      }
    }
  }).pipe(Effect.provide(Postgres.layer(Redacted.make(databaseUrl), 1)))
})
