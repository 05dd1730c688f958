/** Kills the operator before and after each of its writes, one after the other, and starts another. */
import { assert, describe, it } from "@effect/vitest"
import { AgentEvents } from "@berth/domain/AgentEvents"
import { JobQueue } from "@berth/domain/JobQueue"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Cluster } from "../src/Cluster.ts"
import * as Operator from "../src/Operator.ts"
import { ada, agentOf, pass, pushJob, reaches, reported, until, world } from "./World.ts"

/** A world whose nth write from now on reaches no end: `before` it happened, or after. */
const doomed = Effect.fn(function* (nth: number, before: boolean) {
  const cluster = yield* Cluster
  const queue = yield* JobQueue
  const events = yield* AgentEvents
  const dead = yield* Deferred.make<void>()
  let writes = 0
  const fatal = <A, E, R>(write: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      writes++
      if (writes < nth) return write
      const end = Deferred.succeed(dead, undefined).pipe(Effect.andThen(Effect.never))
      return before ? end : Effect.andThen(write, end)
    })
  const context = Context.make(Cluster, {
    ...cluster,
    apply: (manifest, options) => fatal(cluster.apply(manifest, options)),
    merge: (ref, patch) => fatal(cluster.merge(ref, patch)),
    remove: (ref, options) => fatal(cluster.remove(ref, options)),
    patchStatus: (name, status, place) => fatal(cluster.patchStatus(name, status, place)),
  }).pipe(
    Context.add(JobQueue, { ...queue, acknowledge: (job) => fatal(queue.acknowledge(job)) }),
    Context.add(AgentEvents, { ...events, append: (event) => fatal(events.append(event)) }),
  )
  return { context, dead }
})

/** Runs an operator that dies at its nth write; whether it got that far before `done`. */
const runAndDie = Effect.fn(function* <A, E, R>(nth: number, before: boolean, done: Effect.Effect<A, E, R>) {
  const { context, dead } = yield* doomed(nth, before)
  const operator = yield* Layer.launch(Operator.layer).pipe(Effect.provideContext(context), Effect.forkChild)
  const died = yield* Effect.raceFirst(Effect.as(Deferred.await(dead), true), Effect.as(done, false))
  yield* Fiber.interrupt(operator)
  return died
})

describe("an operator that dies at any of its writes", () => {
  it.effect(
    "is followed by one that ends with exactly one Agent, one Ready pod, and every step told once",
    () =>
      Effect.gen(function* () {
        let points = 0
        for (const before of [true, false])
          for (let nth = 1, died = true; died; nth++) {
            died = yield* Effect.gen(function* () {
              yield* pushJob()
              const died = yield* runAndDie(nth, before, reaches(ada, "active").pipe(Effect.andThen(pass(1))))
              const operator = yield* Layer.launch(Operator.layer).pipe(Effect.forkChild)
              yield* reaches(ada, "active")
              yield* pass(1)
              const cluster = yield* Cluster
              const where = `write ${nth}, ${before ? "before" : "after"}`
              assert.strictEqual((yield* cluster.list("Agent")).items.length, 1, where)
              assert.strictEqual((yield* cluster.list("Pod")).items.length, 1, where)
              assert.strictEqual((yield* cluster.list("PersistentVolume")).items.length, 1, where)
              const queue = yield* JobQueue
              assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 0, dead: 0 }, where)
              const tags = (yield* reported).flatMap((event) =>
                event._tag === "resync" ? [] : [event._tag === "step" ? event.step : event._tag],
              )
              assert.deepStrictEqual([...new Set(tags)], tags, where)
              assert.strictEqual(tags.at(-1), "active", where)
              assert.strictEqual(tags.length, 11, where)
              yield* Fiber.interrupt(operator)
              return died
            }).pipe(Effect.provide(Layer.fresh(world())))
            if (died) points++
          }
        assert.isAtLeast(points, 50)
      }),
    180_000,
  )

  it.effect(
    "during a deprovision is followed by one that deletes all of it and reports it once",
    () =>
      Effect.gen(function* () {
        const deletion = { confirmedGeneration: 2 }
        const gone = until(
          "the Agent gone",
          agentOf(ada).pipe(Effect.map((found) => (Option.isNone(found) ? Option.some(true) : Option.none()))),
        )
        let points = 0
        for (const before of [true, false])
          for (let nth = 1, died = true; died; nth++) {
            died = yield* Effect.gen(function* () {
              yield* pushJob()
              const first = yield* Layer.launch(Operator.layer).pipe(Effect.forkChild)
              yield* reaches(ada, "active")
              yield* pass(1)
              yield* Fiber.interrupt(first)
              yield* pushJob({ generation: 2, reason: "deprovision", desired: { deletion } })
              const died = yield* runAndDie(nth, before, gone.pipe(Effect.andThen(pass(1))))
              const operator = yield* Layer.launch(Operator.layer).pipe(Effect.forkChild)
              yield* gone
              yield* pass(3)
              const cluster = yield* Cluster
              const where = `write ${nth}, ${before ? "before" : "after"}`
              assert.deepStrictEqual((yield* cluster.list("PersistentVolume")).items, [], where)
              assert.deepStrictEqual((yield* cluster.list("Secret")).items, [], where)
              assert.isTrue(Option.isNone(yield* cluster.get({ kind: "Namespace", name: "customer-ada" })), where)
              assert.strictEqual((yield* reported).filter(({ _tag }) => _tag === "deleted").length, 1, where)
              yield* Fiber.interrupt(operator)
              return died
            }).pipe(Effect.provide(Layer.fresh(world())))
            if (died) points++
          }
        assert.isAtLeast(points, 15)
      }),
    180_000,
  )

  it.effect(
    "while it writes an Agent again that was deleted by hand is followed by one that does",
    () =>
      Effect.gen(function* () {
        let points = 0
        for (const before of [true, false])
          for (let nth = 1, died = true; died; nth++) {
            died = yield* Effect.gen(function* () {
              yield* pushJob()
              const first = yield* Layer.launch(Operator.layer).pipe(Effect.forkChild)
              yield* reaches(ada, "active")
              yield* pass(1)
              yield* Fiber.interrupt(first)
              const cluster = yield* Cluster
              const [pod] = (yield* cluster.list("Pod")).items
              yield* cluster.remove({ kind: "Agent", name: ada })
              const died = yield* runAndDie(nth, before, pass(3))
              const operator = yield* Layer.launch(Operator.layer).pipe(Effect.forkChild)
              yield* pass(3)
              const agent = yield* reaches(ada, "active")
              const where = `write ${nth}, ${before ? "before" : "after"}`
              assert.isUndefined(agent.metadata.deletionTimestamp, where)
              const pods = (yield* cluster.list("Pod")).items.map((one) => one.metadata.uid)
              assert.deepStrictEqual(pods, [pod?.metadata.uid], where)
              assert.isTrue(
                (yield* reported).some(({ _tag }) => _tag === "deletionBlocked"),
                where,
              )
              yield* Fiber.interrupt(operator)
              return died
            }).pipe(Effect.provide(Layer.fresh(world())))
            if (died) points++
          }
        assert.isAtLeast(points, 6)
      }),
    180_000,
  )
})
