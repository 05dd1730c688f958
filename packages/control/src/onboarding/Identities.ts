/** Which account a Telegram user is. A user who has paid as one account stays it; before that the newest link counts. */
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { TelegramPerson } from "./Facts.ts"

export class Identities extends Context.Service<
  Identities,
  {
    find(userId: string): Effect.Effect<Option.Option<CustomerId>, SqlError>
    /** Joins the caller's transaction. */
    bind(person: TelegramPerson, accountId: CustomerId): Effect.Effect<void, SqlError>
  }
>()("@berth/control/Identities") {
  static readonly layer: Layer.Layer<Identities, never, SqlClient> = Layer.effect(
    Identities,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      return Identities.of({
        find: Effect.fn("Identities.find")(function* (userId) {
          const rows = yield* sql<{ readonly id: CustomerId }>`
            SELECT account_id AS id FROM identities WHERE provider = 'telegram' AND subject = ${userId}`
          return Option.fromUndefinedOr(rows[0]?.id)
        }),
        bind: Effect.fn("Identities.bind")(function* ({ name, userId, username }, accountId) {
          const now = yield* Clock.currentTimeMillis
          yield* sql`
            INSERT INTO identities (provider, subject, account_id, name, created_at)
            VALUES ('telegram', ${userId}, ${accountId}, ${username ?? name}, ${now})
            ON CONFLICT (provider, subject) DO UPDATE SET account_id = excluded.account_id, name = excluded.name
            WHERE NOT EXISTS (SELECT 1 FROM orders
                              WHERE orders.account_id = identities.account_id AND orders.status = 'paid')`
        }),
      })
    }),
  )
}
