/** The whole path on a real Redis: the same guarantees as on the memory layers. */
import * as AllowanceRedis from "@berth/domain/live/AllowanceRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import * as UsageEventsRedis from "@berth/domain/live/UsageEventsRedis"
import { freshRedis } from "@berth/domain/testing/FreshRedis"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as AtTheEdge from "./AtTheEdge.ts"
import { openClawBody } from "./OpenClawBody.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const redis = Layer.unwrap(Effect.map(freshRedis, (url) => RedisClient.layerOf(Redacted.make(url))))
const stores = () =>
  Layer.fresh(Layer.mergeAll(AllowanceRedis.layer, UsageEventsRedis.layer).pipe(Layer.provide(Layer.fresh(redis))))

describe("admission on an allowance in Redis", () => {
  AtTheEdge.suite(stores)

  it.live("an OpenClaw-shaped stream is counted in Redis, and one cut short by its client too", () =>
    Effect.gen(function* () {
      const alice = World.customer("redis-alice")
      const world = yield* World.start({
        customers: [alice],
        allowance: stores(),
        behaviour: Stub.streaming({ prompt: 12_000, completion: 30, cached: 6_000 }, { words: 10, pauseMillis: 5 }),
      })
      const answer = yield* World.chat(world, alice.token, openClawBody())
      assert.include(answer.text, '"choices":[]')
      assert.strictEqual((yield* world.settled(alice)).used, 6_000 + 1_000 + 30)
      const controller = new AbortController()
      yield* Effect.promise(async () => {
        const response = await World.post(world, alice.token, openClawBody(), { signal: controller.signal })
        await response.body?.getReader().read()
        controller.abort()
      })
      assert.strictEqual((yield* world.settled(alice)).used, 2 * 7_030)
      assert.strictEqual((yield* world.events).length, 2)
    }),
  )

  it.live("fails closed within two seconds when there is no Redis", () =>
    Effect.gen(function* () {
      const alice = World.customer("redis-bob")
      const gone = RedisClient.layerOf(Redacted.make("redis://127.0.0.1:1"))
      const world = yield* World.start({
        customers: [alice],
        allowance: Layer.fresh(
          Layer.mergeAll(AllowanceRedis.layer, UsageEventsRedis.layer).pipe(Layer.provide(Layer.fresh(gone))),
        ),
      })
      const [took, answer] = yield* Effect.timed(World.chat(world, alice.token))
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(answer.headers.get("retry-after"), "2")
      assert.isBelow(Duration.toMillis(took), 2_000)
      assert.strictEqual(world.stub.received.length, 0)
    }),
  )
})
