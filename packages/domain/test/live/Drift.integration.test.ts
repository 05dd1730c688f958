import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { Allowance } from "../../src/Allowance.ts"
import * as AllowanceRedis from "../../src/live/AllowanceRedis.ts"
import { RedisClient } from "../../src/live/RedisClient.ts"
import { customer, hold, snapshot, start } from "../../src/testing/contracts/AllowanceFixtures.ts"
import { freshRedisClient, testTime } from "./FreshRedisClient.ts"

const redis = AllowanceRedis.layer.pipe(Layer.provide(testTime), Layer.provideMerge(freshRedisClient))

layer(redis)("what somebody else did to an allowance in Redis", (it) => {
  const key = `limit:{${customer}}`
  const planted = Effect.fn("planted")(function* (field: string, by: number) {
    yield* (yield* RedisClient).call("plant", (one) => one.hincrby(key, field, by))
  })

  it.effect(
    "is found, field by field: tokens given or taken away, a hold that leaked, a period that nobody opened",
    () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(start)
        const allowance = yield* Allowance
        yield* allowance.rebuild(snapshot())
        yield* hold("open")
        assert.deepStrictEqual(yield* allowance.compare(snapshot(), []), { differences: [] })
        for (const [field, by, expected] of [
          ["used", -5, 0],
          ["background", 7, 0],
          ["held", 100, 100],
          ["packs", 11, 0],
          ["plan", 1, 1_000],
          ["period", 1, 0],
        ] as const) {
          yield* planted(field, by)
          const difference = { what: field, expected, found: expected + by }
          assert.deepStrictEqual(yield* allowance.compare(snapshot(), []), { differences: [difference] })
          yield* planted(field, -by)
        }
        assert.deepStrictEqual(yield* allowance.compare(snapshot(), []), { differences: [] })
      }),
  )
})
