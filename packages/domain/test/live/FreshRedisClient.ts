/** The Redis layers' client on an empty database of the run's own server, and scripts that go by the test's clock. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { ScriptTime } from "../../src/live/AllowanceRedis.ts"
import { RedisClient } from "../../src/live/RedisClient.ts"
import { freshRedis } from "../../src/testing/FreshRedis.ts"

export const freshRedisClient: Layer.Layer<RedisClient> = Layer.unwrap(
  Effect.map(freshRedis, (url) => RedisClient.layerOf(Redacted.make(url))),
)

export const testTime: Layer.Layer<never> = Layer.succeed(ScriptTime)(Clock.currentTimeMillis)
