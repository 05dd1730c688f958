/** The informers against a cluster that answers by a script. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Cluster, ClusterUnavailable, Expired, type ReadError, type WatchEvent } from "../src/Cluster.ts"
import { layerMemory } from "../src/Cluster/Memory.ts"
import { inform } from "../src/Inform.ts"
import type { Stored } from "../src/Manifest.ts"
import { make } from "../src/Observed.ts"
import { Observing, staleMillis } from "../src/Observing.ts"

const service = (name: string, version: number): Stored => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    name,
    namespace: "customer-ada",
    uid: name,
    resourceVersion: String(version),
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { "berth.dev/customer": "ada" },
  },
})

const away = new ClusterUnavailable({ operation: "test", message: "away" })

/** An informer of Services, with the calls that it makes and the hands on its watch. */
const informing = Effect.gen(function* () {
  const real = yield* Cluster
  const calls: Array<string> = []
  const state = { items: [service("a", 10)], place: "10", away: false }
  let feed = yield* Queue.unbounded<WatchEvent, Expired | ReadError>()
  let sign: () => void = () => {}
  const observed = make()
  const cluster = Cluster.of({
    ...real,
    list: () =>
      Effect.suspend(() => {
        calls.push("list")
        return state.away ? Effect.fail(away) : Effect.succeed({ items: state.items, resourceVersion: state.place })
      }),
    watch: (_, __, since, told) =>
      Stream.unwrap(
        Effect.gen(function* () {
          calls.push(`watch ${since}`)
          if (state.away) return Stream.fail(away)
          feed = yield* Queue.unbounded<WatchEvent, Expired | ReadError>()
          sign = told ?? (() => {})
          return Stream.fromQueue(feed)
        }),
      ),
  })
  let signs = 0
  yield* Effect.forkScoped(
    inform(cluster, "Service", {}, observed, { sign: () => void signs++, listed: () => Effect.void }),
  )
  yield* TestClock.adjust("1 millis")
  return {
    calls,
    state,
    names: () =>
      observed
        .list("ada", "Service")
        .map(({ metadata }) => metadata.name)
        .sort(),
    tell: (event: WatchEvent) => Queue.offer(feed, event),
    bookmark: Effect.sync(() => sign()),
    breakOff: (error: Expired | ReadError) => Queue.fail(feed, error),
    signs: () => signs,
  }
}).pipe(Effect.provide(layerMemory()))

describe("an informer", () => {
  it.effect("goes on after a dropped watch from the last event that it took in, and lists nothing again", () =>
    Effect.gen(function* () {
      const { breakOff, calls, names, tell } = yield* informing
      yield* tell({ type: "ADDED", object: service("b", 15) })
      yield* tell({ type: "DELETED", object: service("a", 17) })
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(names(), ["b"])
      yield* breakOff(away)
      yield* TestClock.adjust("1 second")
      yield* tell({ type: "ADDED", object: service("c", 20) })
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(names(), ["b", "c"])
      assert.deepStrictEqual(calls, ["list", "watch 10", "watch 17"])
    }),
  )

  it.effect("lists again when the server has forgotten its place, and misses nothing that happened in the gap", () =>
    Effect.gen(function* () {
      const { breakOff, calls, names, state } = yield* informing
      state.items = [service("b", 90)]
      state.place = "95"
      yield* breakOff(new Expired({ kind: "Service" }))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(names(), ["b"])
      assert.deepStrictEqual(calls, ["list", "watch 10", "list", "watch 95"])
    }),
  )

  it.effect("waits ever longer while the server is away, up to 10 s, and hardly at all after it was heard of", () =>
    Effect.gen(function* () {
      const { bookmark, breakOff, calls, state } = yield* informing
      state.away = true
      yield* breakOff(away)
      yield* TestClock.adjust("5 minutes")
      const tries = calls.length
      assert.isAtLeast(tries, 25)
      assert.isAtMost(tries, 50)
      state.away = false
      yield* TestClock.adjust("15 seconds")
      yield* bookmark
      const before = calls.length
      yield* breakOff(away)
      yield* TestClock.adjust("300 millis")
      assert.strictEqual(calls.length, before + 1)
    }),
  )
})

describe("the informers of an operator", () => {
  const observing = (cluster: Cluster["Service"]) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        Observing.layer.pipe(Layer.provide(Layer.succeed(Cluster)(cluster))),
        scope,
      )
      yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
      return yield* Effect.provideContext(Observing, context)
    })

  it.effect("are fresh once every kind was listed, and as long as the server is heard of", () =>
    Effect.gen(function* () {
      const real = yield* Cluster
      let away = true
      let silent = false
      const { fresh, synced } = yield* observing(
        Cluster.of({
          ...real,
          list: (kind, selector) =>
            Effect.suspend(() =>
              away && kind === "NetworkPolicy"
                ? Effect.fail(new ClusterUnavailable({ operation: "test", message: "away" }))
                : real.list(kind, selector),
            ),
          watch: (kind, selector, since, sign) =>
            real.watch(kind, selector, since, () => (silent && kind === "Pod" ? undefined : sign?.())),
        }),
      )
      yield* TestClock.adjust("1 minute")
      assert.isFalse(yield* fresh, "one kind was never listed")
      away = false
      yield* TestClock.adjust("15 seconds")
      yield* synced
      assert.isTrue(yield* fresh)
      yield* TestClock.adjust("20 minutes")
      assert.isTrue(yield* fresh, "nothing happens, but the server is heard of")
      silent = true
      yield* TestClock.adjust(staleMillis + 61_000)
      assert.isFalse(yield* fresh, "of one kind nothing is heard")
      silent = false
      yield* TestClock.adjust("61 seconds")
      assert.isTrue(yield* fresh)
    }).pipe(Effect.scoped, Effect.provide(layerMemory())),
  )
})
