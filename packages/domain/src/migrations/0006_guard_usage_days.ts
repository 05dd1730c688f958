/** The sums of usage are kept with their owner's rights, so that no service needs any to write them. */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`ALTER FUNCTION sum_usage_days() SECURITY DEFINER SET search_path FROM CURRENT`
  yield* sql`REVOKE EXECUTE ON FUNCTION sum_usage_days() FROM PUBLIC`
})
