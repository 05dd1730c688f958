/** Calls in flight and the switches of ops, on a clock that the test moves. The whole path: see StoppedCalls.test.ts. */
import { StoreUnavailable } from "@berth/domain/Errors"
import { CustomerId } from "@berth/domain/Ids"
import { Switches } from "@berth/domain/Switches"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import type { Refusal } from "../src/Errors.ts"
import { Settings } from "../src/Settings.ts"
import { Stops } from "../src/Stops.ts"

const alice = CustomerId.make("alice")
const bob = CustomerId.make("bob")

/** A call that goes on until it is stopped or ended. */
const running = () => {
  const listeners: Array<() => void> = []
  const call = {
    refusals: [] as Array<Refusal>,
    stop: (refusal: Refusal) => {
      call.refusals.push(refusal)
      call.end()
    },
    whenOver: (listener: () => void) => void listeners.push(listener),
    end: () => {
      for (const listener of listeners) listener()
    },
  }
  return call
}

const layer = Stops.layer.pipe(Layer.provideMerge(Layer.mergeAll(Switches.layerMemory, Settings.layerOf({}))))

/** Calls of two customers with two models, and how each was stopped. */
const four = Effect.gen(function* () {
  const stops = yield* Stops
  const start = (customerId: CustomerId, model: string) => {
    const call = running()
    stops.watch(call, { customerId, model })
    return call
  }
  const calls = [
    start(alice, "kimi-k2.6"),
    start(alice, "kimi-k2.7-code"),
    start(bob, "kimi-k2.6"),
    start(bob, "kimi-k2.7-code"),
  ]
  return { calls, start, stopped: () => calls.map((call) => call.refusals.map((refusal) => refusal._tag)) }
})

describe("a call in flight", () => {
  it.effect("ends within a second of everything, its model or its customer being stopped, and no other does", () =>
    Effect.gen(function* () {
      const switches = yield* Switches
      const { stopped } = yield* four
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(stopped(), [[], [], [], []])
      yield* switches.stop("model:kimi-k2.6", "it answers nonsense")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(stopped(), [["TrafficStopped"], [], ["TrafficStopped"], []])
      yield* switches.stop(`customer:${alice}`, "abuse")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(stopped(), [["TrafficStopped"], ["CustomerStopped"], ["TrafficStopped"], []])
      yield* switches.stop("all", "the provider is down")
      yield* TestClock.adjust("1 second")
      const each = [["TrafficStopped"], ["CustomerStopped"], ["TrafficStopped"], ["TrafficStopped"]]
      assert.deepStrictEqual(stopped(), each)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(stopped(), each, "each is stopped once")
    }).pipe(Effect.provide(layer)),
  )

  it.effect("that was admitted just before is stopped as it starts, and one after the switch is back is not", () =>
    Effect.gen(function* () {
      const switches = yield* Switches
      const { start } = yield* four
      yield* switches.stop(`customer:${alice}`, "abuse")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(start(alice, "kimi-k2.6").refusals.length, 1)
      assert.strictEqual(start(bob, "kimi-k2.6").refusals.length, 0)
      yield* switches.resume(`customer:${alice}`)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(start(alice, "kimi-k2.6").refusals.length, 0)
    }).pipe(Effect.provide(layer)),
  )

  it.effect("that is over is let go of", () =>
    Effect.gen(function* () {
      const switches = yield* Switches
      const { calls, stopped } = yield* four
      for (const call of calls) call.end()
      yield* switches.stop("all", "the provider is down")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(stopped(), [[], [], [], []])
    }).pipe(Effect.provide(layer)),
  )

  it.effect("is stopped as soon as the store says so again after it was away", () => {
    let away = false
    const unreliable = Layer.effect(
      Switches,
      Effect.map(Switches, (switches) => ({
        ...switches,
        all: Effect.suspend(() =>
          away
            ? Effect.fail(new StoreUnavailable({ store: "redis", operation: "Switches.all", cause: "away" }))
            : switches.all,
        ),
      })),
    ).pipe(Layer.provide(Switches.layerMemory))
    return Effect.gen(function* () {
      const switches = yield* Switches
      const { calls, start, stopped } = yield* four
      yield* switches.stop(`customer:${bob}`, "abuse")
      yield* TestClock.adjust("1 second")
      away = true
      yield* switches.stop("all", "the provider is down")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(stopped(), [[], [], ["CustomerStopped"], ["CustomerStopped"]])
      assert.strictEqual(start(bob, "kimi-k2.6").refusals.length, 1, "the last word counts while the store is away")
      away = false
      yield* TestClock.adjust("1 second")
      assert.isTrue(calls.every((call) => call.refusals.length === 1))
    }).pipe(Effect.provide(Stops.layer.pipe(Layer.provideMerge(Layer.mergeAll(unreliable, Settings.layerOf({}))))))
  })
})
