/** Several operators as processes of their own: who leads, and how soon another follows. */
import { assert, layer } from "@effect/vitest"
import { CustomerId } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import * as JobQueueRedis from "@berth/domain/live/JobQueueRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import { Sealer } from "@berth/domain/Seal"
import { startRedisWithUsers } from "@berth/domain/testing/RedisUsers"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { ControlPlane } from "./cluster/ControlPlane.ts"
import { type OperatorProcess, start, untilReady } from "./OperatorProcess.ts"
import { operatorAccount, prepare, settles } from "./RealCluster.ts"
import { jobText, pushJob, recipient } from "./World.ts"

class Redis extends Context.Service<Redis, { readonly operatorUrl: string }>()("@berth/operator/test/Redis") {}

const world = Layer.effectContext(
  Effect.gen(function* () {
    const plane = yield* ControlPlane.make({ nodes: 1 })
    yield* prepare(plane)
    const redis = yield* startRedisWithUsers
    const queue = yield* Layer.build(JobQueueRedis.layer.pipe(Layer.provide(RedisClient.layerOf(redis.urlOf("admin")))))
    const sealer = yield* Layer.build(Sealer.layer(recipient))
    return Context.merge(queue, sealer).pipe(
      Context.add(ControlPlane, plane),
      Context.add(Redis, { operatorUrl: Redacted.value(redis.urlOf("operator")) }),
    )
  }),
)

const operator = Effect.gen(function* () {
  const plane = yield* ControlPlane
  const { operatorUrl } = yield* Redis
  const one = yield* start({ kubeconfig: yield* plane.kubeconfig(operatorAccount), redisUrl: operatorUrl })
  yield* untilReady(one)
  return one
})

const leads = (one: OperatorProcess) => one.printed().includes("this operator leads")

const holder = Effect.gen(function* () {
  const { api } = yield* ControlPlane
  const lease = yield* api.get("/apis/coordination.k8s.io/v1/namespaces/berth-agents/leases/berth-operator")
  return String(lease?.spec?.holderIdentity ?? "")
})

/** Milliseconds until another than the one before holds the lease. */
const takenOver = Effect.fn(function* (before: string) {
  const began = performance.now()
  while (performance.now() - began < 60_000) {
    const now = yield* holder
    if (now !== "" && now !== before) return performance.now() - began
    yield* Effect.sleep("20 millis")
  }
  return yield* Effect.die(new Error("nobody took the lead over"))
})

layer(world, { excludeTestServices: true, timeout: 120_000 })("operators that share a lease", (it) => {
  it.effect("one stands by, ready, and follows a killed one within 15 s; nothing that was taken is lost", () =>
    Effect.gen(function* () {
      const first = yield* operator
      yield* pushJob({ customerId: CustomerId.make("ada") })
      yield* settles(CustomerId.make("ada"), "active")
      const second = yield* operator
      assert.deepStrictEqual([leads(first), leads(second)], [true, false])
      const before = yield* holder
      // The jobs in its hand stand in taken, and the next leader puts them back in line.
      const many = Array.from({ length: 20 }, (_, one) => CustomerId.make(`many-${one}`))
      const jobs = yield* Effect.forEach(many, (customerId) => jobText({ customerId }))
      const queue = yield* JobQueue
      yield* Effect.forEach(jobs, queue.push, { concurrency: "unbounded", discard: true })
      while ((yield* queue.depth).taken === 0) yield* Effect.yieldNow
      yield* first.end("SIGKILL")
      assert.isAbove((yield* queue.depth).taken, 0, "it was killed with jobs in hand")
      assert.isBelow(yield* takenOver(before), 15_000)
      for (const customerId of many) yield* settles(customerId, "active")
      while ((yield* queue.depth).taken > 0) yield* Effect.sleep("50 millis")
      assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 0, dead: 0 })
      yield* second.end("SIGTERM")
    }).pipe(Effect.scoped),
  )

  it.effect("one that is told to stop hands over within 2 s (median of 3)", () =>
    Effect.gen(function* () {
      let first = yield* operator
      yield* Effect.sleep("1 second")
      const took: Array<number> = []
      for (let handover = 0; handover < 3; handover++) {
        const second = yield* operator
        assert.deepStrictEqual([leads(first), leads(second)], [true, false])
        const before = yield* holder
        const [millis] = yield* Effect.all([takenOver(before), first.end("SIGTERM")], { concurrency: 2 })
        took.push(millis)
        first = second
      }
      // A machine that is busy with other things for a moment delays one of them, though never by much.
      const [, median, longest] = took.toSorted((a, b) => a - b)
      assert.isBelow(median ?? Number.NaN, 2_000, `${took}`)
      assert.isBelow(longest ?? Number.NaN, 8_000, `${took}`)
      yield* pushJob({ customerId: CustomerId.make("bob") })
      yield* settles(CustomerId.make("bob"), "active")
    }).pipe(Effect.scoped),
  )
})
