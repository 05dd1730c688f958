/** What outlives every operator process of a test: a real control plane as it is installed, a real Redis, and control. */
import type { AgentEvents } from "@berth/domain/AgentEvents"
import type { JobQueue } from "@berth/domain/JobQueue"
import * as AgentEventsRedis from "@berth/domain/live/AgentEventsRedis"
import * as JobQueueRedis from "@berth/domain/live/JobQueueRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import { Sealer } from "@berth/domain/Seal"
import { type RedisServer, startRedis } from "@berth/domain/testing/RedisServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { ControlPlane, type ControlPlaneOptions } from "../cluster/ControlPlane.ts"
import { prepare } from "../RealCluster.ts"
import { recipient } from "../World.ts"
import { Control } from "./Control.ts"

export class Redis extends Context.Service<Redis, RedisServer>()("@berth/operator/test/faults/Redis") {}

/** An empty cluster, ready for an operator to be started on. */
export const emptyCluster = Effect.fn(function* (options: ControlPlaneOptions = {}) {
  const plane = yield* ControlPlane.make({ nodes: 1, ...options })
  yield* prepare(plane)
  return plane
})

const stores: Layer.Layer<JobQueue | AgentEvents, never, Redis> = Layer.unwrap(
  Redis.use(({ url }) =>
    Effect.succeed(
      Layer.mergeAll(JobQueueRedis.layer, AgentEventsRedis.layer).pipe(
        Layer.provide(RedisClient.layerOf(Redacted.make(url))),
      ),
    ),
  ),
)

export const stage = (options: ControlPlaneOptions = {}) =>
  Control.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(stores, Sealer.layer(recipient))),
    Layer.provideMerge(
      Layer.mergeAll(Layer.effect(ControlPlane, emptyCluster(options)), Layer.effect(Redis, startRedis())),
    ),
  )
