/** The Postgres schema, one migration a file, append-only, run in order under a lock by `npm run migrate`. */
import * as Migrator from "effect/sql/Migrator"
import createSchema from "./migrations/0001_create_schema.ts"
import addInstants from "./migrations/0002_add_instants.ts"
import indexLookups from "./migrations/0003_index_lookups.ts"

/** Brings the schema up to date; what was run. Safe when two run at once: the second waits and finds nothing to do. */
export const migrate = Migrator.make({})({
  loader: Migrator.fromRecord({
    "0001_create_schema": createSchema,
    "0002_add_instants": addInstants,
    "0003_index_lookups": indexLookups,
  }),
  table: "migrations",
})
