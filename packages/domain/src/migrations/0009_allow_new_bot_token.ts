/** A customer may also ask that the agent goes on with the new token of its bot; the token itself waits sealed elsewhere. */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`ALTER TABLE agent_requests DROP CONSTRAINT agent_requests_action_check`
  yield* sql`
    ALTER TABLE agent_requests ADD CONSTRAINT agent_requests_action_check
    CHECK (action IN ('delete', 'waive-export', 'new-bot-token'))`
})
