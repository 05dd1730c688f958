/**
 * Sessions in Postgres: opaque random tokens of which only the SHA-256 is stored. Opening one opens an anonymous account,
 * which owns what is done with it; it lasts 90 days.
 */
import { createHash } from "node:crypto"
import { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export const sessionDays = 90
const lifetime = sessionDays * 86_400_000

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex")

const base32 = "abcdefghijklmnopqrstuvwxyz234567"
/** `c-` and 12 characters, 60 random bits. */
const accountIdFrom = (bytes: Uint8Array): CustomerId =>
  CustomerId.make(`c-${Array.from(bytes.subarray(0, 12), (byte) => base32[byte % 32]).join("")}`)

export class Sessions extends Context.Service<
  Sessions,
  {
    /** A new anonymous account and the only copy of its session's token. */
    readonly open: Effect.Effect<
      { readonly accountId: CustomerId; readonly token: Redacted.Redacted<string> },
      SqlError
    >
    /** An account without a session, for who comes by another door than the web. Joins the caller's transaction. */
    readonly openAccount: Effect.Effect<CustomerId, SqlError>
    /** Whose session a token is, while it lasts. */
    find(token: string): Effect.Effect<Option.Option<CustomerId>, SqlError>
  }
>()("@berth/control/Sessions") {
  static readonly layer: Layer.Layer<Sessions, never, SqlClient | SecureRandom.SecureRandom> = Layer.effect(
    Sessions,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const random = yield* SecureRandom.SecureRandom
      // allow(pure): this is the port; each run of the effect draws anew
      const draw = random.randomBytes(32)
      const openAccount = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const accountId = accountIdFrom(yield* draw)
        yield* sql`INSERT INTO accounts ${sql.insert({ id: accountId, kind: "customer", created_at: now })}`
        return accountId
      })
      const open = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const accountId = yield* openAccount
        const token = Buffer.from(yield* draw).toString("base64url")
        yield* sql`INSERT INTO sessions ${sql.insert({
          token_hash: hashOf(token),
          account_id: accountId,
          created_at: now,
          expires_at: now + lifetime,
        })}`
        return { accountId, token: Redacted.make(token, { label: "session" }) }
      })
      return Sessions.of({
        open: sql.withTransaction(open).pipe(Effect.withSpan("Sessions.open")),
        openAccount: openAccount.pipe(Effect.withSpan("Sessions.openAccount")),
        find: Effect.fn("Sessions.find")(function* (token) {
          if (token === "" || token.length > 200) return Option.none()
          const now = yield* Clock.currentTimeMillis
          const rows = yield* sql<{ readonly id: CustomerId }>`
            SELECT account_id AS id FROM sessions WHERE token_hash = ${hashOf(token)} AND expires_at > ${now}`
          return Option.fromUndefinedOr(rows[0]?.id)
        }),
      })
    }),
  )
}
