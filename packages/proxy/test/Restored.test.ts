/** A store that comes back without what it had acknowledged last, on a clock that the test moves. */
import { Allowance, type Hold } from "@berth/domain/Allowance"
import { StoreUnavailable } from "@berth/domain/Errors"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { Settings } from "../src/Settings.ts"
import { Settlement } from "../src/Settlement.ts"
import * as World from "./World.ts"

const alice = World.customer("alice")

/** Which memory stands behind the store; undefined while it is away. */
class Fate extends Context.Service<Fate, { present: Allowance["Service"] | undefined; life: number; lag: number }>()(
  "@berth/proxy/test/Fate",
) {}

const memory = Effect.map(Layer.build(Layer.fresh(World.memory)), (built) => Context.get(built, Allowance))

const away = Effect.fail(new StoreUnavailable({ store: "redis", operation: "test", cause: "away" }))

/** An allowance that can be taken away and come back as another one. */
const store = Layer.effect(
  Allowance,
  Effect.gen(function* () {
    const fate = yield* Fate
    const ask = <A>(use: (one: Allowance["Service"]) => Effect.Effect<A, StoreUnavailable>) =>
      Effect.suspend((): Effect.Effect<A, StoreUnavailable> => (fate.present === undefined ? away : use(fate.present)))
    return Allowance.of({
      customerOf: (hash) => ask((one) => one.customerOf(hash)),
      admit: (wanted) => ask((one) => one.admit(wanted)),
      renew: (holds) => ask((one) => one.renew(holds)),
      settle: (settlement) => ask((one) => one.settle(settlement)),
      release: (hold) => ask((one) => one.release(hold)),
      sweep: ask((one) => one.sweep),
      apply: (change) => ask((one) => one.apply(change)),
      rebuild: (snapshot, asked) => ask((one) => one.rebuild(snapshot, asked)),
      forget: (customerId) => ask((one) => one.forget(customerId)),
      compare: (snapshot, asked) => ask((one) => one.compare(snapshot, asked)),
      outdated: (customers) => ask((one) => one.outdated(customers)),
      pulse: ask(() => Effect.succeed({ life: String(fate.life), lag: fate.lag })),
      view: (customerId) => ask((one) => one.view(customerId)),
    })
  }),
)

const fated = Layer.effect(
  Fate,
  Effect.gen(function* () {
    const present = yield* memory
    yield* present.rebuild(alice.snapshot)
    return { present, life: 0, lag: 0 }
  }),
).pipe(Layer.orDie)
const layer = Settlement.layer.pipe(
  Layer.provideMerge(store),
  Layer.provideMerge(Layer.merge(fated, Settings.layerOf({}))),
)

/** The store is away for so long, and comes back knowing only the customer's allowance. */
const losesAll = Effect.fnUntraced(function* (seconds: number) {
  const fate = yield* Fate
  fate.present = undefined
  yield* TestClock.adjust(`${seconds} seconds`)
  const present = yield* memory
  yield* present.rebuild(alice.snapshot)
  fate.present = present
  fate.life += 1
})

const hold = Effect.fnUntraced(function* (name: string) {
  const settlement = yield* Settlement
  const admission = yield* (yield* Allowance).admit(World.asks(alice, name))
  if (admission._tag !== "Admitted") return yield* Effect.die(admission._tag)
  settlement.opened(admission.hold)
  return admission.hold
})
const usage = { prompt: 10, cached: 0, completion: 5, reasoning: 0 }
const settling = (one: Hold) => ({ hold: one, model: "kimi-k2.6", usage, estimated: false, traceId: "" })
const view = Effect.map(
  Allowance.use((allowance) => allowance.view(alice.customerId)),
  Option.getOrThrow,
)

describe("a store that lost what it had acknowledged last", () => {
  it.effect("hears of it again, and of the open holds, within half a second of its return", () =>
    Effect.gen(function* () {
      const settlement = yield* Settlement
      const [ended, freed] = [yield* hold("ended"), yield* hold("freed")]
      yield* hold("open")
      yield* settlement.settle(settling(ended))
      yield* settlement.giveBack(freed)
      yield* TestClock.adjust("2 seconds")
      yield* losesAll(600)
      assert.deepInclude(yield* view, { used: 0, held: 0 })
      yield* TestClock.adjust("500 millis")
      assert.deepInclude(yield* view, { used: 15, held: 1_100 })
      const again = yield* (yield* Allowance).settle(settling(ended))
      assert.strictEqual(again, "repeat")
      const late = yield* (yield* Allowance).admit(World.asks(alice, freed.requestId))
      assert.strictEqual(late._tag, "Ended", "what was given back stays so")
    }).pipe(Effect.provide(layer)),
  )

  it.effect("twice within seconds hears of it twice", () =>
    Effect.gen(function* () {
      yield* (yield* Settlement).settle(settling(yield* hold("ended")))
      yield* TestClock.adjust("9 seconds")
      yield* losesAll(1)
      yield* TestClock.adjust("9 seconds")
      yield* losesAll(1)
      yield* TestClock.adjust("500 millis")
      assert.deepInclude(yield* view, { used: 15, held: 0 })
    }).pipe(Effect.provide(layer)),
  )

  it.effect("is not told what it acknowledged longer ago than it may lose, unless nobody has recorded that yet", () =>
    Effect.gen(function* () {
      const fate = yield* Fate
      const settlement = yield* Settlement
      yield* settlement.settle(settling(yield* hold("old")))
      fate.lag = 60_000
      yield* TestClock.adjust("60 seconds")
      yield* losesAll(1)
      yield* TestClock.adjust("500 millis")
      assert.deepInclude(yield* view, { used: 15 })
      fate.lag = 0
      yield* TestClock.adjust("11 seconds")
      yield* losesAll(1)
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* view, { used: 0 })
    }).pipe(Effect.provide(layer)),
  )
})

describe("a store that was away", () => {
  it.effect("gets what it missed as soon as it is back, however often that was tried in vain", () =>
    Effect.gen(function* () {
      const fate = yield* Fate
      const { present } = fate
      const settlement = yield* Settlement
      const mine = yield* hold("waiting")
      yield* TestClock.adjust("1 second")
      fate.present = undefined
      yield* settlement.settle(settling(mine))
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual(settlement.open(), 1)
      fate.present = present
      fate.life += 1
      yield* TestClock.adjust("300 millis")
      assert.strictEqual(settlement.open(), 0)
      assert.deepInclude(yield* view, { used: 15, held: 0 })
    }).pipe(Effect.provide(layer)),
  )
})
