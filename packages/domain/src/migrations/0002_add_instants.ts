/** How far a subscription is paid, and when an agent was last reported. Epoch milliseconds. */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`ALTER TABLE subscriptions ADD COLUMN paid_until bigint`
  yield* sql`UPDATE subscriptions SET paid_until = period_end`
  yield* sql`ALTER TABLE subscriptions ALTER COLUMN paid_until SET NOT NULL`
  yield* sql`ALTER TABLE agents ADD COLUMN reported_at bigint NOT NULL DEFAULT 0`
})
