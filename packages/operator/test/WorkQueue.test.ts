import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import type { Lane } from "../src/Lanes.ts"
import { make } from "../src/WorkQueue.ts"

const longest = 30_000

describe("a work queue", () => {
  it.effect("works on a key once at a time, and again if it was added meanwhile", () =>
    Effect.gen(function* () {
      const queue = yield* make(longest)
      let working = 0
      let most = 0
      let times = 0
      yield* Effect.forkChild(
        queue.run(() =>
          Effect.gen(function* () {
            most = Math.max(most, ++working)
            times++
            yield* Effect.sleep("1 second")
            working--
            return undefined
          }),
        ),
      )
      queue.add("ada", "change")
      yield* TestClock.adjust("500 millis")
      queue.add("ada", "change")
      queue.add("ada", "resync")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([most, times, queue.size()], [1, 2, 0])
    }),
  )

  it.effect("starts a new agent at once though 300 deletions wait", () =>
    Effect.gen(function* () {
      const queue = yield* make(longest)
      const begun: Array<readonly [string, Lane]> = []
      yield* Effect.forkChild(
        queue.run((key, lane) => {
          begun.push([key, lane])
          return Effect.as(Effect.sleep("1 minute"), undefined)
        }),
      )
      for (let count = 0; count < 300; count++) queue.add(`leaving-${count}`, "destroy")
      yield* TestClock.adjust("1 second")
      queue.add("ada", "provision")
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(begun.at(-1), ["ada", "provision"])
      assert.isAbove(queue.waiting().destroy, 200)
      assert.strictEqual(queue.oldest().destroy, 1_001)
    }),
  )

  it.effect("counts a key for the most urgent lane in which it was asked for", () =>
    Effect.gen(function* () {
      const queue = yield* make(longest)
      queue.add("ada", "resync")
      queue.add("ada", "provision")
      queue.add("ada", "destroy")
      assert.deepStrictEqual(queue.waiting(), { provision: 1, change: 0, destroy: 0, resync: 0 })
      const seen: Array<Lane> = []
      yield* Effect.forkChild(
        queue.run((_, lane) => {
          seen.push(lane)
          return Effect.as(Effect.void, undefined)
        }),
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen, ["provision"])
    }),
  )

  it.effect("tries again ever later, at least every 30 s, and at once after a success", () =>
    Effect.gen(function* () {
      const queue = yield* make(longest)
      let failing = true
      let times = 0
      yield* Effect.forkChild(
        queue.run(() => {
          times++
          return failing ? Effect.fail("no") : Effect.as(Effect.void, undefined)
        }),
      )
      queue.add("ada", "change")
      yield* TestClock.adjust("2 minutes")
      assert.isAtLeast(times, 8)
      assert.isAtMost(times, 12)
      const before = times
      yield* TestClock.adjust("5 minutes")
      assert.isAtLeast(times - before, 8)
      failing = false
      yield* TestClock.adjust("1 minute")
      failing = true
      times = 0
      queue.add("ada", "change")
      yield* TestClock.adjust("400 millis")
      assert.strictEqual(times, 2)
    }),
  )

  it.effect("is asked again by the work itself, and an earlier call stands", () =>
    Effect.gen(function* () {
      const queue = yield* make(longest)
      let times = 0
      yield* Effect.forkChild(queue.run(() => Effect.sync(() => (++times < 3 ? Duration.seconds(10) : undefined))))
      queue.add("ada", "change")
      yield* TestClock.adjust("1 second")
      queue.add("ada", "change")
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual(times, 2)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(times, 3)
    }),
  )

  it.effect("keeps what an interrupted run had in hand or put off for the next run", () =>
    Effect.gen(function* () {
      const queue = yield* make(longest)
      const first = yield* Effect.forkChild(queue.run((key) => (key === "fails" ? Effect.fail("no") : Effect.never)))
      for (const key of ["held", "fails"]) queue.add(key, "change")
      yield* TestClock.adjust("100 millis")
      yield* Fiber.interrupt(first)
      const seen: Array<string> = []
      yield* Effect.forkChild(
        queue.run((key) => {
          seen.push(key)
          return Effect.as(Effect.void, undefined)
        }),
      )
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(seen.sort(), ["fails", "held"])
    }),
  )
})
