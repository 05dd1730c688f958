/**
 * The data of deleted agents, as long as customers can fetch it, and what was asked to be done with an agent as a whole. An
 * export that is removed keeps its row. Instants are epoch milliseconds.
 */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`
    CREATE TABLE exports (
      customer_id text NOT NULL REFERENCES accounts (id),
      -- That of the job that confirmed the deletion.
      generation bigint NOT NULL,
      key text NOT NULL,
      size bigint NOT NULL,
      sha256 text NOT NULL,
      exported_at bigint NOT NULL,
      expires_at bigint NOT NULL,
      removed_at bigint,
      PRIMARY KEY (customer_id, generation)
    )`
  yield* sql`CREATE INDEX exports_standing ON exports (expires_at) WHERE removed_at IS NULL`
  // Asked for by the customer or by ops, carried out by billing; a row that is done says what came of it.
  yield* sql`
    CREATE TABLE agent_requests (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      customer_id text NOT NULL REFERENCES accounts (id),
      action text NOT NULL CHECK (action IN ('delete', 'waive-export')),
      actor text NOT NULL,
      reason text NOT NULL,
      at bigint NOT NULL,
      done_at bigint,
      outcome text
    )`
  yield* sql`CREATE INDEX agent_requests_open ON agent_requests (id) WHERE done_at IS NULL`
})
