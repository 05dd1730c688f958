import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { Redis } from "ioredis"
import { inject } from "vitest"
import { emptyDatabase, freshDatabase, freshDatabaseFrom } from "../../src/testing/FreshDatabase.ts"
import { freshRedis } from "../../src/testing/FreshRedis.ts"
import { startRedis } from "../../src/testing/RedisServer.ts"

const query = (url: Redacted.Redacted<string>, text: string) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    return yield* sql.unsafe(text)
  }).pipe(Effect.provide(PgClient.layer({ url })), Effect.scoped)

const redis = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url, { retryStrategy: () => 20 })),
    (client) => Effect.sync(() => client.disconnect()),
  )

describe("Postgres for tests", () => {
  it.effect("gives each file a database of its own, and drops it", () =>
    Effect.gen(function* () {
      const one = yield* Effect.scoped(
        Effect.gen(function* () {
          const [a, b] = [yield* emptyDatabase, yield* emptyDatabase]
          yield* query(a, "create table only_here (id int)")
          assert.strictEqual((yield* Effect.exit(query(b, "select * from only_here")))._tag, "Failure")
          return a
        }),
      )
      assert.strictEqual((yield* Effect.exit(query(one, "select 1")))._tag, "Failure")
    }),
  )

  it.effect("gives the migrated schema quickly, also to many at once", () =>
    Effect.gen(function* () {
      const urls = yield* Effect.all(
        Array.from({ length: 4 }, () => freshDatabase),
        { concurrency: "unbounded" },
      )
      for (const url of urls) assert.lengthOf(yield* query(url, "select * from accounts"), 0)
    }),
  )

  it.effect("copies what a test file prepared, and prepares it once", () =>
    Effect.gen(function* () {
      let prepared = 0
      const prepare = (url: Redacted.Redacted<string>) => {
        prepared++
        return query(url, "create table seed as select 7 as n")
      }
      const [a, b] = [yield* freshDatabaseFrom("seeded", prepare), yield* freshDatabaseFrom("seeded", prepare)]
      yield* query(a, "update seed set n = 8")
      assert.deepStrictEqual(yield* query(b, "select n from seed"), [{ n: 7 }])
      assert.strictEqual(prepared, 1)
    }),
  )
})

describe("Redis for tests", () => {
  it.effect("gives each file an empty database, so that fixed key names do not meet", () =>
    Effect.gen(function* () {
      const [a, b] = [yield* freshRedis, yield* freshRedis]
      const [one, two] = [yield* redis(a), yield* redis(b)]
      yield* Effect.promise(() => one.lpush("operator:jobs", "x"))
      assert.strictEqual(yield* Effect.promise(() => two.llen("operator:jobs")), 0)
      assert.isTrue(a.startsWith(inject("redisUrl")))
    }),
  )

  it.effect("a server of one's own forgets at kill, and with appendonly it does not", () =>
    Effect.gen(function* () {
      for (const appendonly of [false, true]) {
        const server = yield* startRedis({ appendonly })
        const client = yield* redis(server.url)
        yield* Effect.promise(() => client.set("kept", "yes"))
        yield* server.kill
        const dead = yield* Effect.exit(Effect.tryPromise(() => new Redis(server.url, { retryStrategy: null }).ping()))
        assert.strictEqual(dead._tag, "Failure")
        yield* server.start
        assert.strictEqual(yield* Effect.promise(() => client.get("kept")), appendonly ? "yes" : null)
      }
    }),
  )
})
