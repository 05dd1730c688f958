/** What the operator's ops port says of it through a life: whether it can work, and what it counts. Over real HTTP. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Ops from "@berth/domain/Ops"
import { CustomerId } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import { assert, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Cluster, ClusterUnavailable } from "../src/Cluster.ts"
import { PodFailed } from "../src/Cluster/Pods.ts"
import { Lead } from "../src/Lead.ts"
import * as Operator from "../src/Operator.ts"
import { Reconciler } from "../src/Reconciler.ts"
import { valuesOf } from "./OperatorProcess.ts"
import { ada, agentOf, pass, pushJob, reaches, until, world, written } from "./World.ts"

const bob = CustomerId.make("bob")

const get = Effect.fn(function* (path: string) {
  const { address } = yield* HttpServer.HttpServer
  return yield* Effect.promise(async () => {
    const answer = await fetch(HttpServer.formatAddress(address) + path)
    return { status: answer.status, body: await answer.text() }
  })
})
const readyz = Effect.map(get("/readyz"), ({ status }) => status)

/** The operator's metrics by name and labels, without what all of them are called; as they are a few seconds later. */
const metrics = Effect.gen(function* () {
  yield* pass(6)
  const values = valuesOf((yield* get("/metrics")).body)
  return (name: string) => values.get(`berth_operator_${name}`)
})

it.effect(
  "the ops port tells whether the operator can work, and what it does",
  () => {
    let tries = 0
    const exports = () =>
      ++tries === 1
        ? Effect.fail(new PodFailed({ reason: "Error", message: '{"_tag":"Failed","message":"no room"}' }))
        : Effect.succeed(JSON.stringify({ _tag: "Written", ...written }))
    return Effect.gen(function* () {
      const real = yield* Cluster
      const away = { list: true, get: false }
      const unavailable = Effect.fail(new ClusterUnavailable({ operation: "test", message: "away" }))
      const cluster = Cluster.of({
        ...real,
        list: (kind, selector) =>
          Effect.suspend(() => (away.list && kind === "Pod" ? unavailable : real.list(kind, selector))),
        get: (ref) => Effect.suspend(() => (away.get ? unavailable : real.get(ref))),
      })
      const turn = yield* Latch.make()
      const lead = Lead.of({
        during: (work) => Effect.andThen(turn.await, work),
        leading: Effect.sync(() => turn.isOpen()),
      })
      const operator = HttpRouter.serve(Ops.routes(Operator.ready), {
        disableLogger: true,
        disableListenLog: true,
      }).pipe(
        Layer.provideMerge(Operator.layer),
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
        Layer.provide([
          Layer.succeed(Cluster)(cluster),
          Layer.succeed(Lead)(lead),
          ConfigProvider.layer(ConfigProvider.fromUnknown({ MAX_STARTS: "1" })),
        ]),
      )
      yield* Effect.gen(function* () {
        // Its informers do not know the cluster yet.
        assert.strictEqual(yield* readyz, 503)
        assert.strictEqual((yield* metrics)("informers_fresh"), 0)
        away.list = false
        yield* pass(15)

        // It knows it and stands by.
        assert.strictEqual(yield* readyz, 200)
        const reconciler = yield* Reconciler
        yield* reconciler.look(ada, { lane: "change" })
        yield* pass(20)
        const standing = yield* metrics
        assert.deepStrictEqual([standing("informers_fresh"), standing("leading")], [1, 0])
        assert.strictEqual(standing(`queue_depth{queue="agents",lane="change"}`), 1)
        assert.isAtLeast(standing(`queue_oldest_seconds{queue="agents",lane="change"}`) ?? 0, 20)

        // It leads: one of two agents starts, the other waits for its turn.
        const queue = yield* JobQueue
        yield* queue.push("no job")
        for (const customerId of [ada, bob]) yield* pushJob({ customerId })
        yield* turn.open
        for (const customerId of [ada, bob]) yield* until(`the Agent of ${customerId}`, agentOf(customerId))
        yield* pushJob()
        const starting = yield* metrics
        assert.strictEqual(starting("leading"), 1)
        assert.strictEqual(starting(`queue_oldest_seconds{queue="agents",lane="change"}`), 0)
        assert.deepStrictEqual(
          ["accepted", "ignored", "buried"].map((outcome) => starting(`jobs_total{outcome="${outcome}"}`)),
          [2, 1, 1],
        )
        assert.deepStrictEqual(
          ["running", "waiting"].map((state) => starting(`starts{state="${state}"}`)),
          [1, 1],
        )
        for (const customerId of [ada, bob]) yield* reaches(customerId, "active")
        const running = yield* metrics
        assert.deepStrictEqual(
          ["running", "waiting"].map((state) => running(`starts{state="${state}"}`)),
          [0, 0],
        )
        assert.strictEqual(running(`agents{phase="active"}`), 2)
        // A pod takes a minute here, and one waited for the other's.
        assert.strictEqual(running("time_to_ready_seconds_count"), 2)
        assert.strictEqual(running(`time_to_ready_seconds_bucket{le="60"}`), 0)
        assert.strictEqual(running(`time_to_ready_seconds_bucket{le="90"}`), 1)
        assert.strictEqual(running(`time_to_ready_seconds_bucket{le="300"}`), 2)

        // An agent leaves: its first export fails.
        yield* pushJob({ generation: 2, reason: "deprovision", desired: { deletion: { confirmedGeneration: 2 } } })
        yield* until(
          "the Agent gone",
          Effect.map(agentOf(ada), (found) => (Option.isNone(found) ? Option.some(true) : Option.none())),
        )
        const left = yield* metrics
        assert.deepStrictEqual(
          ["failed", "written"].map((outcome) => left(`exports_total{outcome="${outcome}"}`)),
          [1, 1],
        )

        // The cluster is away.
        assert.strictEqual(yield* readyz, 200)
        away.get = true
        assert.strictEqual(yield* readyz, 503)
        away.get = false
        assert.strictEqual(yield* readyz, 200)
      }).pipe(Effect.provide(operator))
    }).pipe(Effect.provide(world({ startAfter: "1 minute", exports })))
  },
  30_000,
)
