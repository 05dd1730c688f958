/** The switches as the hash `switches` (name → reason), which the script of admission reads itself. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Switches, type SwitchName } from "../Switches.ts"
import { RedisClient } from "./RedisClient.ts"

export const layer: Layer.Layer<Switches, never, RedisClient> = Layer.effect(
  Switches,
  Effect.map(RedisClient, (redis) => ({
    stop: Effect.fn("Switches.stop")((name: SwitchName, reason: string) =>
      Effect.asVoid(redis.call("Switches.stop", (one) => one.hset("switches", name, reason))),
    ),
    resume: Effect.fn("Switches.resume")((name: SwitchName) =>
      Effect.asVoid(redis.call("Switches.resume", (one) => one.hdel("switches", name))),
    ),
    all: Effect.map(
      redis.call("Switches.all", (one) => one.hgetall("switches")),
      (hash) => new Map(Object.entries(hash) as Array<[SwitchName, string]>),
    ),
  })),
)
