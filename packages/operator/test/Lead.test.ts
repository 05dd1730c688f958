import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Cluster, ClusterUnavailable } from "../src/Cluster.ts"
import { layerMemory } from "../src/Cluster/Memory.ts"
import { Lead, mayTake } from "../src/Lead.ts"

/** A candidate that notes while it works, for ever unless told; `stop` is an orderly end. */
const candidate = Effect.fn(function* (
  name: string,
  log: Array<string>,
  cluster?: Cluster["Service"],
  works: Effect.Effect<never> = Effect.never,
) {
  const scope = yield* Scope.make()
  const reach = cluster ?? (yield* Cluster)
  const context = yield* Layer.buildWithScope(
    Layer.fresh(Lead.layerLease("berth-agents")).pipe(Layer.provide(Layer.succeed(Cluster)(reach))),
    scope,
  )
  const lead = context.pipe((one) => Effect.provideContext(Lead, one))
  const work = Effect.acquireUseRelease(
    Effect.sync(() => log.push(`${name} begins`)),
    () => works,
    () => Effect.sync(() => log.push(`${name} ends`)),
  )
  const fiber = yield* Effect.forkIn(
    Effect.flatMap(lead, (one) => one.during(work)),
    scope,
  )
  return { fiber, stop: Scope.close(scope, Exit.void) }
})

describe("the lead", () => {
  it("may be taken when nobody holds it, when it is one's own, or when it was silent for 10 s", () => {
    assert.isTrue(mayTake({ holder: undefined, unchangedSince: 0 }, "me", 0))
    assert.isTrue(mayTake({ holder: "me", unchangedSince: 0 }, "me", 0))
    assert.isFalse(mayTake({ holder: "other", unchangedSince: 0 }, "me", 9_999))
    assert.isTrue(mayTake({ holder: "other", unchangedSince: 0 }, "me", 10_000))
  })

  it.effect("is held by one of two, and passes on within seconds of an orderly end", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const first = yield* candidate("first", log)
      yield* TestClock.adjust("1 second")
      yield* candidate("second", log)
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(log, ["first begins"])
      yield* first.stop
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(log, ["first begins", "first ends", "second begins"])
    }).pipe(Effect.provide(layerMemory())),
  )

  it.effect("is given away by a leader whose work broke off, which stands by from then on", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const breaks = Effect.andThen(Effect.sleep("5 seconds"), Effect.die("a fault of our own"))
      yield* candidate("first", log, undefined, breaks)
      yield* TestClock.adjust("1 second")
      const second = yield* candidate("second", log)
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(log, ["first begins", "first ends", "second begins"])
      yield* second.stop
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(log.slice(3), ["second ends", "first begins"])
    }).pipe(Effect.provide(layerMemory())),
  )

  it.effect("is given up by a leader cut off from the cluster before another takes it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const cluster = yield* Cluster
      let cut = false
      const gone = new ClusterUnavailable({ operation: "test", message: "cut off" })
      const fragile = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | ClusterUnavailable> =>
        Effect.suspend((): Effect.Effect<A, E | ClusterUnavailable> => (cut ? Effect.fail(gone) : effect))
      yield* candidate("first", log, {
        ...cluster,
        get: (ref) => fragile(cluster.get(ref)),
        merge: (ref, patch) => fragile(cluster.merge(ref, patch)),
        apply: (manifest, options) => fragile(cluster.apply(manifest, options)),
      })
      yield* TestClock.adjust("1 second")
      yield* candidate("second", log)
      yield* TestClock.adjust("20 seconds")
      cut = true
      yield* TestClock.adjust("8 seconds")
      assert.deepStrictEqual(log, ["first begins", "first ends"])
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(log, ["first begins", "first ends", "second begins"])
    }).pipe(Effect.provide(layerMemory())),
  )

  it.effect("is given up in time though the cluster takes a renewal and never answers", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const cluster = yield* Cluster
      let silent = false
      const mute = <A, E>(effect: Effect.Effect<A, E>) => Effect.suspend(() => (silent ? Effect.never : effect))
      yield* candidate("first", log, {
        ...cluster,
        get: (ref) => mute(cluster.get(ref)),
        merge: (ref, patch) => mute(cluster.merge(ref, patch)),
      })
      yield* TestClock.adjust("20 seconds")
      silent = true
      yield* TestClock.adjust("7 seconds")
      assert.deepStrictEqual(log, ["first begins", "first ends"])
    }).pipe(Effect.provide(layerMemory())),
  )
})
