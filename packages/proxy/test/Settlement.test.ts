/** Holds over time, on a clock that the test moves. */
import { IncomingMessage, ServerResponse } from "node:http"
import { Socket } from "node:net"
import { Allowance, type Hold } from "@berth/domain/Allowance"
import { StoreUnavailable } from "@berth/domain/Errors"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { Call } from "../src/Call.ts"
import { check } from "../src/Check.ts"
import { conclude } from "../src/Conclude.ts"
import { Kimi } from "../src/Kimi.ts"
import * as Metrics from "../src/Metrics.ts"
import { Settings } from "../src/Settings.ts"
import { Settlement } from "../src/Settlement.ts"
import * as World from "./World.ts"

/** An upstream that cannot be connected to: nothing is ever sent. */
const unconnected = Kimi.of({ dispatch: () => {}, balance: Effect.never })

const layer = Layer.provideMerge(Settlement.layer, Layer.merge(Layer.fresh(World.memory), Settings.layerOf({})))

/** Opens a hold in the store. */
const hold = Effect.fnUntraced(function* (who: World.Customer, name: string) {
  const allowance = yield* Allowance
  yield* allowance.rebuild(who.snapshot)
  const admission = yield* allowance.admit(World.asks(who, name))
  return admission._tag === "Admitted" ? admission.hold : yield* Effect.die(admission._tag)
})
const view = (who: World.Customer) =>
  Effect.map(
    Allowance.use((allowance) => allowance.view(who.customerId)),
    Option.getOrThrow,
  )
const usage = { prompt: 10, cached: 0, completion: 5, reasoning: 0 }
const settling = (one: Hold) => ({ hold: one, model: "kimi-k2.6", usage, estimated: false, traceId: "" })

describe("an open hold", () => {
  it.effect("is renewed for as long as its call lasts, and settled at the end", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const settlement = yield* Settlement
      const mine = yield* hold(alice, "long")
      settlement.opened(mine)
      for (let minute = 0; minute < 10; minute++) yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* view(alice)).held, 1_100)
      yield* settlement.settle(settling(mine))
      assert.strictEqual(settlement.open(), 0)
      const after = yield* view(alice)
      assert.deepStrictEqual([after.used, after.held], [15, 0])
    }).pipe(Effect.provide(layer)),
  )

  it.effect("of a process that died is given up by the sweeper of another, at no charge", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      yield* Settlement
      yield* hold(alice, "orphan")
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual((yield* view(alice)).held, 1_100)
      yield* TestClock.adjust("60 seconds")
      const after = yield* view(alice)
      assert.deepStrictEqual([after.used, after.held], [0, 0])
    }).pipe(Effect.provide(layer)),
  )

  it.effect("is concluded once, whoever tries again", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const settlement = yield* Settlement
      const freed: Array<string> = []
      settlement.onFreed((customerId) => freed.push(customerId))
      const mine = yield* hold(alice, "twice")
      settlement.opened(mine)
      yield* settlement.settle(settling(mine))
      yield* settlement.settle(settling(mine))
      yield* settlement.giveBack(mine)
      const after = yield* view(alice)
      assert.deepStrictEqual([after.used, after.held], [15, 0])
      assert.include(freed, "alice")
    }).pipe(Effect.provide(layer)),
  )
})

describe("a settlement that the store does not take at once", () => {
  it.effect("is told again, and how long it took is counted", () => {
    let refusals = 1
    const hesitant = Layer.effect(
      Allowance,
      Effect.map(Allowance, (allowance) =>
        Allowance.of({
          ...allowance,
          settle: (settlement) =>
            Effect.suspend(() =>
              refusals-- > 0
                ? Effect.fail(new StoreUnavailable({ store: "redis", operation: "settle", cause: "away" }))
                : allowance.settle(settlement),
            ),
        }),
      ),
    ).pipe(Layer.provide(Layer.fresh(World.memory)))
    return Effect.gen(function* () {
      const alice = World.customer("alice")
      const settlement = yield* Settlement
      const mine = yield* hold(alice, "hesitant")
      settlement.opened(mine)
      yield* settlement.settle(settling(mine))
      assert.strictEqual((yield* view(alice)).used, 0)
      yield* Effect.yieldNow
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* view(alice)).used, 15)
      const lag = yield* Metric.value(Metrics.settleSeconds)
      assert.strictEqual(lag.count, 1)
      assert.isAtLeast(lag.sum, 0.08)
    }).pipe(
      Effect.provide(Layer.provideMerge(Settlement.layer, Layer.merge(hesitant, Settings.layerOf({})))),
      Effect.provideService(Metric.MetricRegistry, new Map()),
    )
  })
})

describe("a call whose client left", () => {
  it.effect("is given back if it never went out", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const settlement = yield* Settlement
      const mine = yield* hold(alice, "unsent")
      settlement.opened(mine)
      const checked = yield* check(Buffer.from(JSON.stringify(World.chatBody())), "pro")
      const call = new Call(new ServerResponse(new IncomingMessage(new Socket())), checked.shape, {}, 1_000)
      call.start(unconnected, checked.shape.upstream(checked.model, 10))
      call.detach()
      const passage = { hold: mine, checked, completion: 10, traceId: "", slot: undefined, call }
      const calibration = { of: () => undefined, learn: () => assert.fail("nothing was counted") }
      yield* conclude({ settlement, calibration, hangUpDrain: Duration.seconds(10) }, passage)
      yield* TestClock.adjust("11 seconds")
      const after = yield* view(alice)
      assert.deepStrictEqual([after.used, after.held], [0, 0])
    }).pipe(Effect.provide(layer)),
  )
})
