import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Calibrations } from "../../src/Calibration.ts"
import { CustomerId } from "../../src/Ids.ts"
import * as CalibrationsRedis from "../../src/live/CalibrationsRedis.ts"
import { RedisClient } from "../../src/live/RedisClient.ts"
import { calibrationsContract, learntOf } from "../../src/testing/contracts/CalibrationsContract.ts"
import { freshRedisClient } from "./FreshRedisClient.ts"

calibrationsContract("Redis", CalibrationsRedis.layer.pipe(Layer.provide(freshRedisClient)))

layer(CalibrationsRedis.layer.pipe(Layer.provideMerge(freshRedisClient)))("Calibrations in Redis", (it) => {
  const ada = CustomerId.make("ada")
  const key = "calibration:{ada}"
  it.effect("are gone some time after the customer", () =>
    Effect.gen(function* () {
      const [calibrations, redis] = [yield* Calibrations, yield* RedisClient]
      yield* calibrations.learn(ada, "kimi-k2.6", learntOf(0, 1, 0.5))
      const seconds = yield* redis.call("ttl", (one) => one.ttl(key))
      assert.isAbove(seconds, 30 * 86_400)
    }),
  )
  it.effect("that nobody can read count as none, and are written anew", () =>
    Effect.gen(function* () {
      const [calibrations, redis] = [yield* Calibrations, yield* RedisClient]
      yield* redis.call("spoil", (one) => one.hset(key, "kimi-k2.6", '{"version":1,"mixes":[{"roots":1}]}'))
      assert.isFalse((yield* calibrations.of(ada)).has("kimi-k2.6"))
      yield* calibrations.learn(ada, "kimi-k2.6", learntOf(0, 1, 0.5))
      assert.deepStrictEqual((yield* calibrations.of(ada)).get("kimi-k2.6"), learntOf(0, 1, 0.5))
    }),
  )
})
