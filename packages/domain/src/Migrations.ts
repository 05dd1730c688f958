/** The Postgres schema, one migration a file, append-only, run in order under a lock by `npm run migrate`, then who may what in it. */
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import { Refused } from "./Launch.ts"
import createSchema from "./migrations/0001_create_schema.ts"
import addInstants from "./migrations/0002_add_instants.ts"
import indexLookups from "./migrations/0003_index_lookups.ts"
import addCaps from "./migrations/0004_add_caps.ts"
import sumUsageDays from "./migrations/0005_sum_usage_days.ts"
import guardUsageDays from "./migrations/0006_guard_usage_days.ts"
import addTroubles from "./migrations/0007_add_troubles.ts"
import addExports from "./migrations/0008_add_exports.ts"
import allowNewBotToken from "./migrations/0009_allow_new_bot_token.ts"
import allowRestartAndRotation from "./migrations/0010_allow_restart_and_rotation.ts"
import addBilling from "./migrations/0011_add_billing.ts"
import { grantRights } from "./PostgresRights.ts"

/** By their names, in order. */
export const migrations = {
  "0001_create_schema": createSchema,
  "0002_add_instants": addInstants,
  "0003_index_lookups": indexLookups,
  "0004_add_caps": addCaps,
  "0005_sum_usage_days": sumUsageDays,
  "0006_guard_usage_days": guardUsageDays,
  "0007_add_troubles": addTroubles,
  "0008_add_exports": addExports,
  "0009_allow_new_bot_token": allowNewBotToken,
  "0010_allow_restart_and_rotation": allowRestartAndRotation,
  "0011_add_billing": addBilling,
}

const newest = Object.keys(migrations).length

/**
 * Brings the schema up to date and gives every service its rights; what was run. Safe when two run at once: the second
 * waits and finds nothing to do.
 */
export const migrate = Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: "migrations" }).pipe(
  Effect.tap(grantRights),
)

/** For a service that starts: does nothing to a schema that is up to date, so it needs no right to change one. */
export const ensure = Effect.gen(function* () {
  const sql = yield* SqlClient
  const latest = yield* sql<{ readonly id: number }>`SELECT max(migration_id)::bigint AS id FROM migrations`.pipe(
    Effect.map(([row]) => row?.id ?? 0),
    // There is no such table yet.
    Effect.orElseSucceed(() => 0),
  )
  if (latest >= newest) return
  yield* migrate.pipe(
    Effect.catchIf(
      (error) => error._tag === "SqlError" && error.reason._tag === "AuthorizationError",
      () =>
        new Refused({
          message:
            "This login may not read or change the schema in DATABASE_URL: run npm run migrate as its owner, and see docs/runbooks/least-rights.md.",
        }),
    ),
  )
}).pipe(Effect.withSpan("Migrations.ensure"))
