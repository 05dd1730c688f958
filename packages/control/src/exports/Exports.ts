/** Which exports stand, for whom and until when. The bytes are in the ExportStore. */
import { type Exported, ExportKey, keptMillis } from "@berth/domain/Exports"
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export interface StandingExport extends Exported {
  readonly customerId: CustomerId
  readonly generation: number
  /** Epoch ms, as `expiresAt`. */
  readonly exportedAt: number
  readonly expiresAt: number
}

/** `at`, epoch ms, is when it was exported. */
export const expiryOf = (at: number): number => at + keptMillis

export class Exports extends Context.Service<
  Exports,
  {
    /** Once for each generation, however often it is told. Joins the caller's transaction. */
    record(customerId: CustomerId, generation: number, exported: Exported, at: number): Effect.Effect<void, SqlError>
    /** If it can still be fetched. */
    find(customerId: CustomerId, generation: number): Effect.Effect<Option.Option<StandingExport>, SqlError>
    /** The customer's newest that can still be fetched. */
    latest(customerId: CustomerId): Effect.Effect<Option.Option<StandingExport>, SqlError>
    /** Past their time and not removed yet, at most 100. */
    readonly expired: Effect.Effect<ReadonlyArray<StandingExport>, SqlError>
    /** Marks one as removed from the store. Joins the caller's transaction. */
    removed(customerId: CustomerId, generation: number): Effect.Effect<void, SqlError>
  }
>()("@berth/control/Exports") {
  static readonly layer: Layer.Layer<Exports, never, SqlClient> = Layer.effect(
    Exports,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      type Row = Omit<StandingExport, "key"> & { readonly key: string }
      const standing = ({ key, ...row }: Row): StandingExport => ({ ...row, key: ExportKey.make(key) })
      const columns = sql.literal(
        `customer_id AS "customerId", generation, key, size, sha256, exported_at AS "exportedAt", expires_at AS "expiresAt"`,
      )
      const first = (rows: ReadonlyArray<Row>) => Option.map(Option.fromUndefinedOr(rows[0]), standing)
      return Exports.of({
        record: Effect.fn("Exports.record")(function* (customerId, generation, { key, size, sha256 }, at) {
          yield* sql`
            INSERT INTO exports (customer_id, generation, key, size, sha256, exported_at, expires_at)
            VALUES (${customerId}, ${generation}, ${key}, ${size}, ${sha256}, ${at}, ${expiryOf(at)})
            ON CONFLICT (customer_id, generation) DO NOTHING`
        }),
        find: Effect.fn("Exports.find")(function* (customerId, generation) {
          const now = yield* Clock.currentTimeMillis
          return first(
            yield* sql<Row>`
            SELECT ${columns} FROM exports WHERE customer_id = ${customerId} AND generation = ${generation}
              AND removed_at IS NULL AND expires_at > ${now}`,
          )
        }),
        latest: Effect.fn("Exports.latest")(function* (customerId) {
          const now = yield* Clock.currentTimeMillis
          return first(
            yield* sql<Row>`
            SELECT ${columns} FROM exports WHERE customer_id = ${customerId} AND removed_at IS NULL AND expires_at > ${now}
            ORDER BY generation DESC LIMIT 1`,
          )
        }),
        expired: Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const rows = yield* sql<Row>`
            SELECT ${columns} FROM exports WHERE removed_at IS NULL AND expires_at <= ${now}
            ORDER BY expires_at LIMIT 100`
          return rows.map(standing)
        }).pipe(Effect.withSpan("Exports.expired")),
        removed: Effect.fn("Exports.removed")(function* (customerId, generation) {
          const now = yield* Clock.currentTimeMillis
          yield* sql`
            UPDATE exports SET removed_at = ${now}
            WHERE customer_id = ${customerId} AND generation = ${generation} AND removed_at IS NULL`
        }),
      })
    }),
  )
}
