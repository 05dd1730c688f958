/**
 * Background turns are told apart and capped, customers may cap a day, and ops may stop traffic. What was used before counts
 * as no background; a change that is still on its way to Redis gets the caps that its customer's row gets. Each row gets a new
 * number, so that Redis' allowances, which know no cap, are found to be behind and rebuilt.
 */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`ALTER TABLE ledger_entries ADD COLUMN background boolean NOT NULL DEFAULT false`
  yield* sql`ALTER TABLE allowances ADD COLUMN daily_cap bigint CHECK (daily_cap >= 0), ADD COLUMN background_cap bigint`
  yield* sql`
    UPDATE allowances SET rev = rev + 1, background_cap =
      CASE tier WHEN 'starter' THEN 200000 WHEN 'pro' THEN 1000000 WHEN 'team' THEN 4000000 ELSE 50000000 END`
  yield* sql`ALTER TABLE allowances ALTER COLUMN background_cap SET NOT NULL`
  yield* sql`
    UPDATE work w SET payload = jsonb_set(w.payload, '{terms}',
      w.payload -> 'terms' || jsonb_build_object('dailyCap', a.daily_cap, 'backgroundCap', a.background_cap))
    FROM allowances a
    WHERE w.queue = 'allowance' AND w.done_at IS NULL AND w.dead_reason IS NULL AND w.lane = a.customer_id`
  // A name is 'all', 'model:<id>' or 'customer:<id>'; the row stands while it is stopped.
  yield* sql`
    CREATE TABLE switches (
      name text PRIMARY KEY,
      reason text NOT NULL,
      actor text NOT NULL,
      at bigint NOT NULL
    )`
})
