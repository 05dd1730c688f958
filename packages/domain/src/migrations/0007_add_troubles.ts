/** What is wrong with an agent that runs all the same stands beside its phase. Agents of before are well as far as is known. */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`ALTER TABLE agents ADD COLUMN troubles jsonb NOT NULL DEFAULT '[]'`
})
