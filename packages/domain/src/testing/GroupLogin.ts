/** A login to a test's database with the rights of one service's group, as production gives them; gone when the scope closes. */
import { randomBytes } from "node:crypto"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Group } from "../PostgresRights.ts"

/** `url` is the owner's; the same database as another login. */
export const loginOf = Effect.fn("loginOf")(function* (url: Redacted.Redacted<string>, group: Group) {
  const context = yield* Layer.build(PgClient.layer({ url, maxConnections: 1 }))
  const run = (statement: string) =>
    Effect.provideContext(
      PgClient.PgClient.use((sql) => sql.unsafe(statement)),
      context,
    )
  const [name, password] = [`test_${randomBytes(6).toString("hex")}`, randomBytes(12).toString("hex")]
  yield* Effect.acquireRelease(run(`CREATE ROLE ${name} LOGIN PASSWORD '${password}' IN ROLE ${group}`), () =>
    Effect.ignore(run(`DROP ROLE ${name}`)),
  )
  const own = new URL(Redacted.value(url))
  own.username = name
  own.password = password
  return Redacted.make(own.href)
})
