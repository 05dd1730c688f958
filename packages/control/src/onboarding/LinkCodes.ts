/**
 * One-time codes of the links that open Telegram: whoever presses Start with one is known by their Telegram id. A code is
 * 128 random bits, lasts 10 minutes and works once; only its SHA-256 is stored.
 */
import { createHash } from "node:crypto"
import type { ConversationId, CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

const lifetime = 10 * 60_000
const hashOf = (code: string): string => createHash("sha256").update(code).digest("hex")

export class LinkCodes extends Context.Service<
  LinkCodes,
  {
    mint(
      accountId: CustomerId,
      conversationId: ConversationId,
    ): Effect.Effect<{ readonly code: string; readonly expiresAt: number }, SqlError>
    /** Spends a code; none if it is unknown, used or too old. Joins the caller's transaction. */
    spend(
      code: string,
    ): Effect.Effect<
      Option.Option<{ readonly accountId: CustomerId; readonly conversationId: ConversationId }>,
      SqlError
    >
  }
>()("@berth/control/LinkCodes") {
  static readonly layer: Layer.Layer<LinkCodes, never, SqlClient | SecureRandom.SecureRandom> = Layer.effect(
    LinkCodes,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const random = yield* SecureRandom.SecureRandom
      // allow(pure): this is the port; each run of the effect draws anew
      const draw = random.randomBytes(16)
      return LinkCodes.of({
        mint: Effect.fn("LinkCodes.mint")(function* (accountId, conversationId) {
          const expiresAt = (yield* Clock.currentTimeMillis) + lifetime
          const code = Buffer.from(yield* draw).toString("base64url")
          yield* sql`INSERT INTO link_codes ${sql.insert({
            code_hash: hashOf(code),
            account_id: accountId,
            conversation_id: conversationId,
            expires_at: expiresAt,
          })}`
          return { code, expiresAt }
        }),
        spend: Effect.fn("LinkCodes.spend")(function* (code) {
          const now = yield* Clock.currentTimeMillis
          const rows = yield* sql<{ readonly accountId: CustomerId; readonly conversationId: ConversationId }>`
            UPDATE link_codes SET used_at = ${now}
            WHERE code_hash = ${hashOf(code)} AND used_at IS NULL AND expires_at > ${now}
            RETURNING account_id AS "accountId", conversation_id AS "conversationId"`
          return Option.fromUndefinedOr(rows[0])
        }),
      })
    }),
  )
}
