/** Who did what to whom: append-only, written in the transaction of the deed. Holds no secret and no message. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export class Audit extends Context.Service<
  Audit,
  {
    write(
      actor: string,
      action: string,
      subject: string,
      detail: Readonly<Record<string, unknown>>,
    ): Effect.Effect<void, SqlError>
  }
>()("@berth/control/Audit") {
  static readonly layer: Layer.Layer<Audit, never, SqlClient> = Layer.effect(
    Audit,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      return Audit.of({
        write: Effect.fn("Audit.write")(function* (actor, action, subject, detail) {
          const at = yield* Clock.currentTimeMillis
          yield* sql`
            INSERT INTO audit (actor, action, subject, detail, at)
            VALUES (${actor}, ${action}, ${subject}, ${JSON.stringify(detail)}::text::jsonb, ${at})`
        }),
      })
    }),
  )
}
