/** The operator on a real Redis, taking jobs from the list and reporting on the stream as in production. */
import { assert, describe, it } from "@effect/vitest"
import { type AgentEvent, AgentEvents } from "@berth/domain/AgentEvents"
import * as AgentEventsRedis from "@berth/domain/live/AgentEventsRedis"
import * as JobQueueRedis from "@berth/domain/live/JobQueueRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import { JobQueue } from "@berth/domain/JobQueue"
import { Opener, Sealer } from "@berth/domain/Seal"
import { freshRedis } from "@berth/domain/testing/FreshRedis"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { BotTokens } from "../src/BotTokens.ts"
import { layerMemory } from "../src/Cluster/Memory.ts"
import { Lead } from "../src/Lead.ts"
import * as Operator from "../src/Operator.ts"
import { Settings } from "../src/Settings.ts"
import { configured, exporting, identity, pushJob, recipient } from "./World.ts"

const redis = Layer.unwrap(
  Effect.map(freshRedis, (url) =>
    Layer.mergeAll(JobQueueRedis.layer, AgentEventsRedis.layer).pipe(
      Layer.provide(RedisClient.layerOf(Redacted.make(url))),
    ),
  ),
)

const world = Layer.mergeAll(
  redis,
  Lead.layerLease("berth-agents").pipe(Layer.provideMerge(layerMemory({ startAfter: "10 millis" }))),
  Sealer.layer(recipient),
  Opener.layer(Redacted.make(identity)),
  Settings.layerOf(),
  exporting(),
  BotTokens.layerMemory(),
  configured,
)

describe("the operator on a real Redis", () => {
  it.live("finishes a job that an operator before it had only taken, and reports every step to the stream", () =>
    Effect.gen(function* () {
      const queue = yield* JobQueue
      const events = yield* AgentEvents
      yield* pushJob()
      yield* queue.take
      yield* Layer.build(Operator.layer)
      const seen: Array<AgentEvent["_tag"]> = []
      while (!seen.includes("active")) {
        const batch = yield* events.take(100)
        yield* events.acknowledge(batch.map(({ id }) => id))
        seen.push(...batch.map(({ event }) => event._tag))
      }
      assert.deepStrictEqual(
        seen.filter((tag) => tag !== "resync"),
        [...Array.from({ length: 10 }, () => "step" as const), "active"],
      )
      assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 0, dead: 0 })
    }).pipe(Effect.scoped, Effect.provide(world)),
  )
})
