/**
 * What is looked up often is found without reading a whole table: conversations that are behind, accepted offers without a
 * payment page, a customer's open jobs and newest calls. `followed_seq` is the least that any of the account's conversations
 * follows; too low a value costs a look and loses nothing.
 */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`ALTER TABLE accounts ADD COLUMN followed_seq bigint NOT NULL DEFAULT 0`
  yield* sql`
    UPDATE accounts a SET followed_seq = f.followed
    FROM (SELECT account_id, min((state->>'followed')::bigint) AS followed FROM conversations GROUP BY account_id) f
    WHERE f.account_id = a.id`
  yield* sql`CREATE INDEX accounts_behind ON accounts (id) WHERE followed_seq < next_event_seq - 1`
  yield* sql`
    CREATE INDEX conversations_without_checkout ON conversations (updated_at)
    WHERE state->>'stage' = 'checkout' AND state->>'orderId' IS NOT NULL AND state->>'checkoutUrl' IS NULL`
  yield* sql`
    CREATE INDEX work_jobs ON work ((payload ->> 'customerId'))
    WHERE queue = 'jobs' AND done_at IS NULL AND dead_reason IS NULL`
  yield* sql`CREATE INDEX ledger_by_time ON ledger_entries (customer_id, at)`
  yield* sql`CREATE INDEX subscriptions_by_account ON subscriptions (account_id)`
})
