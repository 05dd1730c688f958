import { assert, describe, it } from "@effect/vitest"
import { CustomerId } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Cluster, ClusterUnavailable, Refused } from "../src/Cluster.ts"
import { at } from "../src/Manifest.ts"
import * as Operator from "../src/Operator.ts"
import {
  ada,
  agentOf,
  jobText,
  operating,
  pass,
  pushJob,
  reaches,
  secretValues,
  until,
  world,
  Writes,
} from "./World.ts"

/** Waits until the queue has buried a job. */
const buried = Effect.gen(function* () {
  const queue = yield* JobQueue
  yield* until(
    "a buried job",
    Effect.map(queue.depth, ({ dead, waiting, taken }) =>
      dead === 1 && waiting === 0 && taken === 0 ? Option.some(true) : Option.none(),
    ),
  )
})

describe("job intake", () => {
  it.effect("keeps the opened secrets in its own namespace, and no secret in the Agent", () =>
    Effect.gen(function* () {
      yield* pushJob()
      const agent = yield* reaches(ada, "active")
      for (const value of Object.values(secretValues)) assert.notInclude(JSON.stringify(agent), value)
      const cluster = yield* Cluster
      const record = Option.getOrThrow(
        yield* cluster.get({ kind: "Secret", namespace: "berth-agents", name: "agent-ada" }),
      )
      const token = at(record, "data", "PROXY_TOKEN")
      assert.strictEqual(Buffer.from(String(token), "base64").toString(), secretValues.proxyToken)
    }).pipe(Effect.provide(operating())),
  )

  it.effect("buries what it cannot read, and goes on with the next", () =>
    Effect.gen(function* () {
      const queue = yield* JobQueue
      yield* queue.push('{"v":1,"id":"x","secret":"do not quote me"}')
      yield* pushJob()
      yield* buried
      yield* reaches(ada, "active")
    }).pipe(Effect.provide(operating())),
  )

  it.effect("refuses an envelope that was sealed for someone else", () =>
    Effect.gen(function* () {
      yield* pushJob({ sealedFor: CustomerId.make("bob") })
      yield* buried
      assert.isTrue(Option.isNone(yield* agentOf(ada)))
    }).pipe(Effect.provide(operating())),
  )

  it.effect("refuses envelopes of an older version than the job names", () =>
    Effect.gen(function* () {
      const text = yield* jobText()
      const queue = yield* JobQueue
      yield* queue.push(text.replaceAll('"version":1', '"version":2').replaceAll(/Token":1/g, 'Token":2'))
      yield* buried
      assert.isTrue(Option.isNone(yield* agentOf(ada)))
    }).pipe(Effect.provide(operating())),
  )

  it.effect("a job that the cluster goes on refusing is buried, and those behind it go on", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const refusing = Cluster.of({
        ...cluster,
        apply: (manifest, options) =>
          manifest.kind === "Agent" && manifest.metadata.name === "ada"
            ? Effect.fail(new Refused({ object: "Agent ada", reason: "Forbidden", message: "a policy says no" }))
            : cluster.apply(manifest, options),
      })
      yield* Layer.build(Layer.provide(Operator.layer, Layer.succeed(Cluster)(refusing)))
      const bob = CustomerId.make("bob")
      yield* pushJob()
      yield* pushJob({ customerId: bob })
      yield* reaches(bob, "active")
      assert.isTrue(Option.isNone(yield* agentOf(ada)))
      yield* buried
    }).pipe(Effect.scoped, Effect.provide(world())),
  )

  it.effect("writes only the newest of one customer's jobs that wait, and acknowledges all of them", () =>
    Effect.gen(function* () {
      for (const generation of [1, 2, 5, 4, 3]) yield* pushJob({ generation })
      yield* Layer.build(Operator.layer)
      yield* reaches(ada, "active", 5)
      const queue = yield* JobQueue
      yield* until(
        "every job acknowledged",
        Effect.map(queue.depth, ({ waiting, taken }) => (waiting + taken === 0 ? Option.some(true) : Option.none())),
      )
      const { log } = yield* Writes
      // The first may have been in hand before the others came.
      assert.isAtMost(log.filter((one) => one === "apply Secret agent-ada").length, 2)
    }).pipe(Effect.scoped, Effect.provide(world())),
  )

  it.effect("goes back to the job before when the newest can't be opened", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      let away = true
      const gone = new ClusterUnavailable({ operation: "test", message: "away" })
      const fragile = Cluster.of({
        ...cluster,
        apply: (manifest, options) =>
          Effect.suspend(() => (away ? Effect.fail(gone) : cluster.apply(manifest, options))),
      })
      yield* Layer.build(Layer.provide(Operator.layer, Layer.succeed(Cluster)(fragile)))
      yield* pushJob({ generation: 1 })
      yield* pass(1)
      yield* pushJob({ generation: 2, sealedFor: CustomerId.make("bob") })
      const queue = yield* JobQueue
      yield* until(
        "the newest buried, the older in hand",
        Effect.map(queue.depth, ({ dead, taken }) => (dead === 1 && taken === 1 ? Option.some(true) : Option.none())),
      )
      away = false
      yield* reaches(ada, "active", 1)
      yield* buried
    }).pipe(Effect.scoped, Effect.provide(world())),
  )

  it.effect("puts back in line what an operator before it had taken", () =>
    Effect.gen(function* () {
      const queue = yield* JobQueue
      yield* pushJob()
      yield* queue.take
      yield* Layer.build(Operator.layer)
      yield* reaches(ada, "active")
    }).pipe(Effect.scoped, Effect.provide(world())),
  )
})
