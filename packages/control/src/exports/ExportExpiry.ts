/**
 * Removes exports whose time is over from the store. The store first, then the row: what is gone already stays gone, so a
 * crash between the two only repeats it. One that can't be removed now does not keep the others.
 */
import { ExportStore } from "@berth/domain/Exports"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Audit } from "../billing/Audit.ts"
import { Exports } from "./Exports.ts"

/** How many were removed. */
export const removeExpired = Effect.gen(function* () {
  const sql = yield* SqlClient
  const store = yield* ExportStore
  const exports = yield* Exports
  const audit = yield* Audit
  const removed = yield* Effect.forEach(yield* exports.expired, (one) =>
    store.remove(one).pipe(
      Effect.andThen(
        sql.withTransaction(
          Effect.andThen(
            exports.removed(one.customerId, one.generation),
            audit.write("system", "export.removed", one.customerId, { generation: one.generation, key: one.key }),
          ),
        ),
      ),
      Effect.as(1),
      Effect.catchTag("ExportStoreUnavailable", ({ operation }) =>
        Effect.as(Effect.logWarning("an expired export could not be removed yet", { key: one.key, operation }), 0),
      ),
    ),
  )
  return removed.reduce((sum, one) => sum + one, 0)
}).pipe(Effect.withSpan("ExportExpiry.removeExpired"))
