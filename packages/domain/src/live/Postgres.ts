/**
 * The connection pool to Postgres. int8 columns arrive as numbers: every one of ours holds epoch milliseconds, tokens or
 * a counter, all of them safe integers; one that is not fails the query instead of losing digits.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Config from "effect/Config"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

const int8: PgTypes.Codec<number | bigint> = {
  encode: (value) => {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigInt64(0, BigInt(value))
    return Result.succeed(bytes)
  },
  decode: (bytes) => {
    const value = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0))
    return Number.isSafeInteger(value)
      ? Result.succeed(value)
      : Result.fail(new PgTypes.CodecError({ message: `int8 ${value} is not a safe integer` }))
  },
}

const types = PgTypes.makeRegistry()
types.register(PgTypes.OID.int8, int8)

/** A pool for a URL, `postgres://user:password@host:port/database`. */
export const layer = (
  url: Redacted.Redacted<string>,
  maxConnections = 10,
): Layer.Layer<PgClient.PgClient | SqlClient, SqlError> =>
  PgClient.layer({ url, maxConnections, types, applicationName: "berth" })

/** A pool for `DATABASE_URL`. */
export const layerConfig = Layer.unwrap(
  Config.Redacted("DATABASE_URL").pipe((config) => Config.map(config, (url) => layer(url))),
)
