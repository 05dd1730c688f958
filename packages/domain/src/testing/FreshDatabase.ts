/**
 * A new Postgres database for one test file, on the run's server, dropped when the scope closes. The migrated one is a
 * copy of a template that the first to ask builds, so it costs as little as an empty one.
 */
import { createHash, randomBytes } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { inject } from "vitest"
import * as Postgres from "../live/Postgres.ts"
import { migrate } from "../Migrations.ts"

type Url = Redacted.Redacted<string>

const urlOf = (database: string): Url => {
  const url = new URL(inject("postgresUrl"))
  url.pathname = `/${database}`
  return Redacted.make(url.href, { label: "postgres" })
}

const random = () => randomBytes(6).toString("hex")

/** One statement on the server itself; databases cannot be made in a transaction. */
const onServer = <A, E>(use: (sql: PgClient.PgClient) => Effect.Effect<A, E>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const services = yield* Layer.build(
        PgClient.layer({ url: Redacted.make(inject("postgresUrl")), maxConnections: 1 }),
      )
      return yield* Effect.flatMap(PgClient.PgClient, use).pipe(Effect.provideContext(services))
    }),
  )

const copyOf = (template: string) =>
  Effect.gen(function* () {
    const name = `test_${random()}`
    yield* Effect.acquireRelease(
      onServer((sql) => sql.unsafe(`create database ${name} template ${template}`)),
      () => Effect.ignore(onServer((sql) => sql.unsafe(`drop database if exists ${name} with (force)`))),
    )
    return urlOf(name)
  })

/** Makes a template once, whichever process asks first; the name changes with what it is made from. */
const templateOf = <E>(name: string, prepare: (url: Url) => Effect.Effect<unknown, E>) =>
  onServer((sql) =>
    Effect.gen(function* () {
      yield* sql`select pg_advisory_lock(hashtext(${name}))`
      const made = yield* sql`select 1 from pg_database where datname = ${name}`
      if (made.length > 0) return
      const draft = `draft_${random()}`
      yield* sql.unsafe(`create database ${draft} template template0`)
      yield* prepare(urlOf(draft))
      yield* sql.unsafe(`alter database ${draft} rename to ${name}`)
    }),
  )

/** A database with nothing in it. */
export const emptyDatabase = copyOf("template0")

/** A database prepared once per run under a name of yours and copied for each who asks, e.g. an old schema with rows. */
export const freshDatabaseFrom = <E>(name: string, prepare: (url: Url) => Effect.Effect<unknown, E>) =>
  Effect.andThen(templateOf(`template_${name}`, prepare), copyOf(`template_${name}`))

const version = (): string => {
  const hash = createHash("sha256")
  const folder = join(import.meta.dirname, "../migrations")
  for (const file of readdirSync(folder).sort()) hash.update(readFileSync(join(folder, file)))
  return hash.digest("hex").slice(0, 12)
}

/** A database with today's schema and no rows; its url. */
export const freshDatabase = Effect.suspend(() =>
  freshDatabaseFrom(`migrated_${version()}`, (url) => migrate.pipe(Effect.provide(Postgres.layer(url, 2)))),
)
