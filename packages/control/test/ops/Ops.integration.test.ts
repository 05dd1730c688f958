/** The command line of ops as a process, with no more rights in Postgres and Redis than production gives it. */
import * as Postgres from "@berth/domain/live/Postgres"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { loginOf } from "@berth/domain/testing/GroupLogin"
import { startRedisWithUsers } from "@berth/domain/testing/RedisUsers"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { outcome } from "../bin/Programs.ts"

const reset = Date.UTC(2099, 0, 1)

const booked = SqlClient.use((sql) =>
  Effect.gen(function* () {
    yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES ('ann', 'customer', 0)`
    yield* sql`INSERT INTO allowances (customer_id, rev, tier, plan, next_plan, anchor, service_until, background_cap)
      VALUES ('ann', 1, 'pro', 5000000, 5000000, 0, ${reset}, 1000000)`
    yield* sql`INSERT INTO allowance_periods VALUES ('ann', 0, 0, ${reset}, 5000000, false)`
    yield* sql`INSERT INTO ledger_entries (source_id, customer_id, kind, period, tokens, model, background, at)
      VALUES ('usage:1', 'ann', 'usage', 0, 1234, 'kimi-k2.6', true, 0)`
  }),
)

const world = Effect.gen(function* () {
  const redis = yield* startRedisWithUsers
  const database = yield* freshDatabase
  const at = Postgres.layer(database, 1)
  yield* Effect.provide(booked, at)
  const env = {
    DATABASE_URL: Redacted.value(yield* loginOf(database, "berth_ops")),
    REDIS_URL: Redacted.value(redis.urlOf("ops")),
    OPS_ACTOR: "eve",
  }
  const ops = (line: string, some: Readonly<Record<string, string>> = {}) =>
    outcome("ops", { ...env, ...some }, line.split(" "))
  const switches = Effect.promise(() => redis.admin.hgetall("switches"))
  const audit = Effect.provide(
    SqlClient.use((sql) => sql`SELECT actor, action, subject FROM audit ORDER BY id`),
    at,
  )
  return { ops, switches, audit, redis: redis.admin }
})

describe("npm run ops", () => {
  it.live("stops, shows and lets go on, and says what it did", () =>
    Effect.gen(function* () {
      const { audit, ops, switches } = yield* world
      const stopped = yield* ops("stop customer ann --reason loops")
      assert.deepStrictEqual(stopped, { code: 0, output: "customer ann is stopped.\n" })
      assert.deepStrictEqual(yield* switches, { "customer:ann": "loops" })
      const json = yield* ops("stop all --reason leak --actor bob --json")
      assert.deepStrictEqual(JSON.parse(json.output), { name: "all", stopped: true, reason: "leak", carried: "told" })

      const listed = JSON.parse((yield* ops("switches --json")).output) as ReadonlyArray<Record<string, unknown>>
      assert.deepStrictEqual(
        listed.map(({ name, actor, reason }) => ({ name, actor, reason })),
        [
          { name: "all", actor: "bob", reason: "leak" },
          { name: "customer:ann", actor: "eve", reason: "loops" },
        ],
      )
      assert.match(
        (yield* ops("switches")).output,
        /^all +since 20.* by bob: leak\ncustomer:ann +since .* by eve: loops\n$/,
      )

      assert.strictEqual((yield* ops("resume all")).output, "All upstream traffic goes on.\n")
      assert.strictEqual((yield* ops("resume all")).output, "All upstream traffic was not stopped.\n")
      assert.deepStrictEqual(yield* switches, { "customer:ann": "loops" })
      assert.deepEqual(yield* audit, [
        { actor: "eve", action: "switch.stop", subject: "customer:ann" },
        { actor: "bob", action: "switch.stop", subject: "all" },
        { actor: "eve", action: "switch.resume", subject: "all" },
      ])
    }),
  )

  it.live("tells how a customer stands", () =>
    Effect.gen(function* () {
      const { ops } = yield* world
      yield* ops("stop customer ann --reason loops")
      const { code, output } = yield* ops("usage ann")
      assert.strictEqual(code, 0, output)
      assert.include(output, "ann  Pro · $49/mo · 5M tokens/mo  (by postgres, change 1)")
      assert.include(output, "used      1,234 of 5,000,000; held 0, left 4,998,766")
      assert.include(output, "by itself 1,234 of 1,000,000")
      assert.include(output, "stopped (customer:ann): loops")
      assert.deepInclude(JSON.parse((yield* ops("usage ann --json")).output), { used: 1_234, store: "postgres" })
    }),
  )

  it.live("tells what differs from the ledger and builds it anew", () =>
    Effect.gen(function* () {
      const { ops, redis } = yield* world
      const rebuilt = yield* ops("rebuild ann")
      assert.include(rebuilt.output, "and now:\n  as the ledger says", "it was not there before")
      yield* Effect.promise(() => redis.hincrby("limit:{ann}", "used", -1_000))
      const { output } = yield* ops("drift ann")
      assert.strictEqual(output, "ann in Redis:\n  used             is 234, should be 1234\n")
      const again = JSON.parse((yield* ops("rebuild ann --json")).output) as Record<string, unknown>
      assert.deepStrictEqual(again, {
        customerId: "ann",
        before: [{ what: "used", expected: 1_234, found: 234 }],
        after: [],
      })
    }),
  )

  it.live("refuses in a line what is mistyped, and changes nothing", () =>
    Effect.gen(function* () {
      const { audit, ops, switches } = yield* world
      const nobody = yield* ops("stop customer nobody --reason x")
      assert.deepStrictEqual(nobody, { code: 1, output: "There is no customer nobody.\n" })
      for (const line of ["stop model kimi-k3 --reason x", "stop customer Ann! --reason x", "stop all"])
        assert.strictEqual((yield* ops(line)).code, 1, line)
      assert.deepStrictEqual(yield* switches, {})
      assert.deepEqual(yield* audit, [])
    }),
  )

  it.live("writes what is to be, and says so, when Redis can't be reached or is another process's memory", () =>
    Effect.gen(function* () {
      const { audit, ops, switches } = yield* world
      for (const REDIS_URL of ["redis://127.0.0.1:1", ""]) {
        const { code, output } = yield* ops("stop all --reason leak", { REDIS_URL })
        assert.strictEqual(code, 0, output)
        assert.include(output, "All upstream traffic is stopped. Redis is not told yet")
      }
      assert.strictEqual((yield* audit).length, 2)
      assert.deepStrictEqual(yield* switches, {})

      const away = { REDIS_URL: "redis://127.0.0.1:1" }
      assert.include((yield* ops("usage ann", away)).output, "(by postgres, change 1)")
      const drift = yield* ops("drift ann", away)
      assert.deepStrictEqual(drift, { code: 1, output: "Redis cannot be reached: check REDIS_URL.\n" })
    }),
  )
})
