import { CustomerId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import { TestClock } from "effect/testing"
import * as Metrics from "../src/Metrics.ts"
import { FairLine, Queue, type Release } from "../src/Queue.ts"
import { Settings } from "../src/Settings.ts"
import * as Layer from "effect/Layer"

const id = (name: string) => CustomerId.make(name)

const layer = (upstreamSlots: number) => Queue.layer.pipe(Layer.provide(Settings.layerOf({ upstreamSlots })))

describe("the line to the upstream", () => {
  it("serves customers in turn, each one's own in order, however many one of them sends", () => {
    const line = new FairLine<string>()
    for (let i = 0; i < 5; i++) line.add(id("flood"), `f${i}`)
    line.add(id("quiet"), "q0")
    line.add(id("other"), "o0")
    line.add(id("quiet"), "q1")
    const served = Array.from({ length: 9 }, () => line.next())
    assert.deepStrictEqual(served, ["f0", "q0", "o0", "f1", "q1", "f2", "f3", "f4", undefined])
    assert.strictEqual(line.size, 0)
  })
  it("forgets who leaves", () => {
    const line = new FairLine<string>()
    line.add(id("a"), "1")
    line.add(id("a"), "2")
    line.remove(id("a"), "1")
    line.remove(id("b"), "1")
    assert.strictEqual(line.next(), "2")
    assert.isUndefined(line.next())
  })

  it.effect("never lets more through than there are slots, and hands a freed one on", () =>
    Effect.gen(function* () {
      const queue = yield* Queue
      const slots: Array<Release> = []
      const keep = (release: Release) => slots.push(release)
      yield* queue.take(id("a"), keep)
      yield* queue.take(id("a"), keep)
      const third = yield* Effect.forkChild(queue.take(id("b"), keep))
      yield* Effect.yieldNow
      assert.strictEqual(slots.length, 2)
      slots[0]?.()
      slots[0]?.()
      yield* Fiber.join(third)
      assert.strictEqual(slots.length, 3)
      const fourth = yield* Effect.forkChild(queue.take(id("c"), keep))
      yield* Effect.yieldNow
      assert.strictEqual(slots.length, 3)
      yield* Fiber.interrupt(fourth)
    }).pipe(Effect.provide(layer(2))),
  )

  it.effect(
    "keeps a fifth of the slots for customers without any, so that no one of them can fill the line for ever",
    () =>
      Effect.gen(function* () {
        const queue = yield* Queue
        const slots: Record<string, Array<Release>> = {}
        const take = (name: string) => queue.take(id(name), (release) => (slots[name] ??= []).push(release))
        const release = (name: string) => slots[name]?.pop()?.()
        const inFlight = () => Object.entries(slots).map(([name, { length }]) => `${name} ${length}`)
        for (let i = 0; i < 12; i++) yield* Effect.forkChild(take("slow"))
        yield* Effect.yieldNow
        assert.deepStrictEqual(inFlight(), ["slow 8"])
        yield* take("a")
        yield* take("b")
        yield* Effect.forkChild(take("c"))
        yield* Effect.forkChild(take("a"))
        yield* Effect.yieldNow
        assert.deepStrictEqual(inFlight(), ["slow 8", "a 1", "b 1"], "all ten are taken")
        release("slow")
        assert.deepStrictEqual(inFlight(), ["slow 7", "a 1", "b 1", "c 1"], "whoever has none goes first")
        release("a")
        assert.deepStrictEqual(inFlight(), ["slow 7", "a 1", "b 1", "c 1"], "and again, having none any more")
        release("b")
        release("c")
        assert.deepStrictEqual(inFlight(), ["slow 7", "a 1", "b 0", "c 0"], "the last two are kept")
        release("a")
        assert.deepStrictEqual(inFlight(), ["slow 8", "a 0", "b 0", "c 0"], "the others are anybody's")
      }).pipe(Effect.provide(layer(10))),
  )

  it.effect("tells who waits too long to come back, and keeps no place for them or for who has left", () =>
    Effect.gen(function* () {
      const queue = yield* Queue
      const slots: Array<Release> = []
      const keep = (release: Release) => slots.push(release)
      yield* queue.take(id("a"), keep)
      const late = yield* Effect.forkChild(Effect.exit(queue.take(id("b"), keep)))
      const gone = yield* Effect.forkChild(queue.take(id("b"), keep))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(gone)
      yield* TestClock.adjust("31 seconds")
      const exit = yield* Fiber.join(late)
      assert.isTrue(Exit.isFailure(exit))
      slots[0]?.()
      yield* queue.take(id("c"), keep)
      assert.strictEqual(slots.length, 2)
    }).pipe(Effect.provide(layer(1))),
  )

  it.effect("tells how long those waited who had to, whether in vain or not", () =>
    Effect.gen(function* () {
      const queue = yield* Queue
      const slots: Array<Release> = []
      const keep = (release: Release) => slots.push(release)
      const waits = Metric.value(Metric.withAttributes(Metrics.waitSeconds, { for: "upstream" }))
      yield* queue.take(id("a"), keep)
      const served = yield* Effect.forkChild(queue.take(id("b"), keep))
      yield* TestClock.adjust("4 seconds")
      slots[0]?.()
      yield* Fiber.join(served)
      const inVain = yield* Effect.forkChild(Effect.exit(queue.take(id("c"), keep)))
      yield* TestClock.adjust("31 seconds")
      yield* Fiber.join(inVain)
      const { count, sum } = yield* waits
      assert.deepStrictEqual({ count, sum }, { count: 2, sum: 34 })
    }).pipe(Effect.provide(layer(1)), Effect.provideService(Metric.MetricRegistry, new Map())),
  )
})
