/** Ops may also ask that an agent is restarted, or goes on with another token for the token-proxy. */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`ALTER TABLE agent_requests DROP CONSTRAINT agent_requests_action_check`
  yield* sql`
    ALTER TABLE agent_requests ADD CONSTRAINT agent_requests_action_check
    CHECK (action IN ('delete', 'waive-export', 'new-bot-token', 'restart', 'rotate-token'))`
})
