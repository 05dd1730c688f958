import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { boundaryAfter } from "../../src/Allowance/Period.ts"
import { prelude } from "../../src/live/AllowanceRedis/Prelude.ts"
import * as AllowanceRedis from "../../src/live/AllowanceRedis.ts"
import { RedisClient, script } from "../../src/live/RedisClient.ts"
import * as SwitchesRedis from "../../src/live/SwitchesRedis.ts"
import * as UsageEventsRedis from "../../src/live/UsageEventsRedis.ts"
import { play, Steps } from "../../src/testing/contracts/AllowanceProperties.ts"
import { freshRedisClient, testTime } from "./FreshRedisClient.ts"

const empty = Layer.effectDiscard(RedisClient.use((redis) => redis.call("empty", (one) => one.flushdb())))
const scripts = Layer.mergeAll(AllowanceRedis.layer, UsageEventsRedis.layer, SwitchesRedis.layer).pipe(
  Layer.provide([empty, testTime]),
)

const Instant = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Date.UTC(2120, 0) }))
const boundary = script("boundary", `${prelude} return int(boundaryAfter(tonumber(ARGV[2]), tonumber(ARGV[3])))`)

layer(freshRedisClient)("Allowance in Redis", (it) => {
  it.effect.prop(
    "tells no history of holds, periods, changes and losses apart from a naive model",
    { steps: Steps },
    ({ steps }) => play(steps).pipe(Effect.provide(Layer.fresh(scripts)), Effect.provide(TestClock.layer())),
    { timeout: 120_000, arbitrary: { runs: 100, size: 80 } },
  )

  it.effect.prop(
    "reckons months in Lua as the pure rule does",
    { anchor: Instant, instant: Instant },
    Effect.fnUntraced(function* ({ anchor, instant }) {
      const redis = yield* RedisClient
      assert.strictEqual(Number(yield* redis.script(boundary, ["", anchor, instant])), boundaryAfter(anchor, instant))
    }),
    { timeout: 60_000, arbitrary: { runs: 2_000 } },
  )
})
