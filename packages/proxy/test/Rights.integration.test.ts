/** The whole path of a request by a proxy that may do no more in Redis and Postgres than production lets it. */
import * as AllowanceRedis from "@berth/domain/live/AllowanceRedis"
import * as AllowanceSourcePostgres from "@berth/domain/live/AllowanceSourcePostgres"
import * as Postgres from "@berth/domain/live/Postgres"
import { RedisClient } from "@berth/domain/live/RedisClient"
import * as SwitchesRedis from "@berth/domain/live/SwitchesRedis"
import * as UsageEventsRedis from "@berth/domain/live/UsageEventsRedis"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { loginOf } from "@berth/domain/testing/GroupLogin"
import { startRedisWithUsers } from "@berth/domain/testing/RedisUsers"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { openClawBody } from "./OpenClawBody.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const booked = ({ customerId, snapshot: { terms, periodEnd, used } }: World.Customer) =>
  SqlClient.use((sql) =>
    Effect.gen(function* () {
      yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES (${customerId}, 'customer', 0)`
      yield* sql`INSERT INTO allowances
        (customer_id, rev, tier, plan, next_plan, anchor, service_until, background_cap)
        VALUES (${customerId}, 1, ${terms.tier}, ${terms.plan}, ${terms.nextPlan}, ${terms.anchor},
                ${terms.serviceUntil}, ${terms.backgroundCap})`
      yield* sql`INSERT INTO allowance_periods VALUES (${customerId}, 0, 0, ${periodEnd}, ${terms.plan}, false)`
      yield* sql`INSERT INTO proxy_tokens VALUES (${terms.tokens[0]}, ${customerId}, 'live', 0)`
      yield* sql`INSERT INTO ledger_entries (source_id, customer_id, kind, period, tokens, model, at)
        VALUES (${`usage:${customerId}:1`}, ${customerId}, 'usage', 0, ${used}, 'kimi-k2.6', 0)`
    }),
  )

describe("a proxy with its own rights alone", () => {
  it.live("rebuilds, admits, forwards, settles, obeys the switches and tells usage", () =>
    Effect.gen(function* () {
      const redis = yield* startRedisWithUsers
      const database = yield* freshDatabase
      const alice = World.customer("rights-alice", { plan: 200_000, used: 1_000 })
      yield* Effect.provide(booked(alice), Postgres.layer(database, 1))

      const proxy = RedisClient.layerOf(redis.urlOf("proxy"))
      const billing = Layer.fresh(RedisClient.layerOf(redis.urlOf("billing")))
      const world = yield* World.start({
        customers: [alice],
        allowance: Layer.merge(
          AllowanceRedis.layer.pipe(Layer.provide(proxy)),
          // The test's own look at the stream.
          UsageEventsRedis.layer.pipe(Layer.provide(billing)),
        ),
        switches: SwitchesRedis.layer.pipe(Layer.provide(proxy)),
        source: AllowanceSourcePostgres.layer.pipe(
          Layer.provide(Layer.orDie(Postgres.layer(yield* loginOf(database, "berth_proxy"), 2))),
        ),
        behaviour: Stub.streaming({ prompt: 12_000, completion: 30, cached: 6_000 }, { words: 10, pauseMillis: 5 }),
      })

      const answer = yield* World.chat(world, alice.token, openClawBody())
      assert.strictEqual(answer.status, 200)
      assert.strictEqual((yield* world.settled(alice)).used, 1_000 + 7_030)
      const [event] = yield* world.events
      assert.deepInclude(event, { _tag: "usage", charge: 7_030 })

      // A client that leaves: renewed meanwhile, drained, settled.
      const controller = new AbortController()
      yield* Effect.promise(async () => {
        const response = await World.post(world, alice.token, openClawBody(), { signal: controller.signal })
        await response.body?.getReader().read()
        controller.abort()
      })
      assert.strictEqual((yield* world.settled(alice)).used, 1_000 + 2 * 7_030)

      const usage = yield* Effect.promise(async () => {
        const response = await fetch(`${world.url}/v1/usage`, { headers: { authorization: `Bearer ${alice.token}` } })
        return (await response.json()) as any
      })
      assert.deepInclude(usage, { used: 15_060, held: 0, limit: 200_000 })
      assert.strictEqual(usage.by_model[0].charged, 1_000)

      yield* Effect.promise(() => redis.admin.hset("switches", `customer:${alice.customerId}`, "a test"))
      const stopped = yield* World.chat(world, alice.token)
      assert.isAbove(stopped.status, 399)
      yield* Effect.promise(() => redis.admin.del("switches"))

      // Goes on once the proxy has looked again.
      while ((yield* World.chat(world, alice.token)).status !== 200) yield* Effect.sleep("50 millis")
      yield* world.settled(alice)

      // Used up: told once on the stream, by the step that refuses.
      yield* Effect.promise(() => redis.admin.hset(`limit:{${alice.customerId}}`, "plan", 1))
      assert.strictEqual((yield* World.chat(world, alice.token)).status, 429)
      assert.strictEqual((yield* world.events).at(-1)?._tag, "exhausted")
      assert.strictEqual(yield* world.allowance.sweep.pipe(Effect.delay("10 millis")), 0)
    }),
  )
})
