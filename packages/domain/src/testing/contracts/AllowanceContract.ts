/**
 * What every `Allowance` promises about admission, holds and settlement. Each test builds the layer anew and expects an
 * empty store that goes by the test's clock. Changes, periods and rebuilds: see AllowanceChangesContract.ts.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { BacklogLimit } from "../../Allowance/Backlog.ts"
import { Allowance } from "../../Allowance.ts"
import type { Switches } from "../../Switches.ts"
import type { UsageEvents } from "../../UsageEvents.ts"
import {
  ask,
  change,
  customer,
  events,
  hold,
  holdOf,
  settlement,
  snapshot,
  start,
  terms,
  view,
} from "./AllowanceFixtures.ts"

type Stores = Allowance | UsageEvents | Switches
export type Backend = Layer.Layer<Stores, unknown>

/** Registers a test with an allowance as in `snapshot`, if any. */
export const testsOn =
  (layer: Backend) =>
  <E>(
    title: string,
    given: Parameters<typeof snapshot>[0] | "nothing",
    test: Effect.Effect<void, E, Stores | Scope.Scope>,
  ): void =>
    it.effect(title, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(start)
        yield* Effect.gen(function* () {
          const allowance = yield* Allowance
          if (given !== "nothing") yield* allowance.rebuild(snapshot(given))
          yield* test
        }).pipe(Effect.provide(Layer.fresh(layer)))
      }),
    )

const range = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, index) => `r${index}`)

export const allowanceContract = (name: string, layer: Backend) =>
  describe(`Allowance on ${name}`, () => {
    const test = testsOn(layer)

    test(
      "holds the prompt and as much completion as is asked for and left",
      { terms: terms({ plan: 150 }) },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        assert.deepStrictEqual(yield* allowance.admit(ask("a")), {
          _tag: "Admitted",
          hold: holdOf("a"),
          completion: 90,
          remaining: 50,
          limit: 150,
          periodEnd: snapshot().periodEnd,
          tier: "pro",
        })
        const second = yield* hold("b")
        assert.strictEqual(second.ask, 50)
        assert.deepInclude(yield* view, { held: 150, used: 0 })
      }),
    )

    test(
      "refuses for good only what exceeds the limit with no hold at all, and holds nothing for it",
      { used: 971 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        assert.deepStrictEqual(yield* allowance.admit(ask("a")), {
          _tag: "Exhausted",
          used: 971,
          limit: 1_000,
          periodEnd: snapshot().periodEnd,
        })
        assert.strictEqual((yield* hold("b", { prompt: 9 })).ask, 29)
        assert.strictEqual((yield* view).held, 29)
      }),
    )

    test(
      "asks to wait, and never says exhausted, when only open holds are in the way",
      { used: 800 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const first = yield* hold("a", { completion: 190 })
        const busy = yield* allowance.admit(ask("b"))
        assert.deepStrictEqual(busy, { _tag: "Busy", limit: 1_000, periodEnd: snapshot().periodEnd })
        yield* allowance.settle(settlement(first, 150))
        assert.strictEqual((yield* hold("b")).ask, 50)
      }),
    )

    test(
      "never lets 200 concurrent asks at the edge hold more than the limit",
      { used: 500, packs: 77 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const admissions = yield* Effect.forEach(range(200), (one) => allowance.admit(ask(one)), {
          concurrency: "unbounded",
        })
        const held = admissions.reduce((sum, one) => sum + (one._tag === "Admitted" ? one.hold.ask : 0), 0)
        assert.strictEqual(held, 577)
        assert.isTrue(admissions.every((one) => one._tag === "Admitted" || one._tag === "Busy"))
        assert.deepInclude(yield* view, { held: 577, limit: 1_077 })
      }),
    )

    test(
      "admits at once each of 200 concurrent asks that fit beside one another",
      { terms: terms({ plan: 20_000 }) },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const admissions = yield* Effect.forEach(range(200), (one) => allowance.admit(ask(one)), {
          concurrency: "unbounded",
        })
        assert.isTrue(admissions.every((one) => one._tag === "Admitted" && one.hold.ask === 100))
        assert.strictEqual((yield* view).held, 20_000)
      }),
    )

    test(
      "holds once for the same request and attempt, however often it is asked",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const first = yield* allowance.admit(ask("a"))
        assert.deepStrictEqual(yield* allowance.admit(ask("a")), first)
        yield* hold("a", { attempt: 2 })
        assert.strictEqual((yield* view).held, 200)
      }),
    )

    test(
      "refuses a customer it does not know, a foreign token, a blocked and a paused one",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const tagOf = (some: Parameters<typeof ask>[1]) =>
          Effect.map(allowance.admit(ask("a", some)), (one) => one._tag)
        const other = { customerId: "bob" as typeof customer }
        assert.strictEqual(yield* tagOf(other), "Absent")
        assert.strictEqual(yield* tagOf({ tokenHash: "hash" }), "Revoked")
        yield* allowance.apply(change({ terms: terms({ paused: true }) }))
        assert.strictEqual(yield* tagOf({}), "Paused")
        yield* allowance.apply(change({ rev: 3, terms: terms({ paused: true, blocked: true }) }))
        assert.strictEqual(yield* tagOf({}), "Blocked")
        yield* allowance.apply(change({ rev: 4 }))
        assert.strictEqual(yield* tagOf({}), "Admitted")
      }),
    )

    test(
      "knows whose a token is, both during a rotation, and drops a revoked one at once",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const ownerOf = (token: string) => Effect.map(allowance.customerOf(token), Option.getOrUndefined)
        yield* allowance.apply(change({ terms: terms({ tokens: ["hash-1", "hash-2"] }) }))
        assert.strictEqual(yield* ownerOf("hash-1"), customer)
        assert.strictEqual(yield* ownerOf("hash-2"), customer)
        yield* hold("a", { tokenHash: "hash-2" })
        yield* allowance.apply(change({ rev: 3, terms: terms({ tokens: ["hash-2"] }) }))
        assert.isUndefined(yield* ownerOf("hash-1"))
        assert.strictEqual((yield* allowance.admit(ask("b")))._tag, "Revoked")
        yield* hold("b", { tokenHash: "hash-2" })
      }),
    )

    test(
      "counts a settlement once, gives its hold back and tells the recorder, whatever is repeated at once",
      { used: 5 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const open = yield* hold("a")
        const results = yield* Effect.forEach(range(20), () => allowance.settle(settlement(open, 42)), {
          concurrency: "unbounded",
        })
        assert.strictEqual(results.filter((one) => one === "settled").length, 1)
        assert.strictEqual(results.filter((one) => one === "repeat").length, 19)
        assert.deepInclude(yield* view, { used: 47, held: 0 })
        assert.deepStrictEqual(yield* events, [
          {
            _tag: "usage",
            customerId: customer,
            at: start,
            period: 0,
            requestId: open.requestId,
            attempt: 1,
            model: "kimi-k2.6",
            usage: { prompt: 0, cached: 0, completion: 42, reasoning: 0 },
            charge: 42,
            background: false,
            estimated: false,
            priceVersion: "2026-11",
            traceId: "",
          },
        ])
      }),
    )

    test(
      "takes a hold of nothing as any other",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const nothing = { prompt: 0, completion: 0 }
        yield* allowance.release(yield* hold("a", nothing))
        assert.strictEqual(yield* allowance.settle(settlement(yield* hold("b", nothing), 0)), "settled")
        assert.deepInclude(yield* view, { used: 0, held: 0 })
      }),
    )

    test(
      "settles each attempt of a request by itself",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allowance.settle(settlement(yield* hold("a"), 10))
        yield* allowance.settle(settlement(yield* hold("a", { attempt: 2 }), 20))
        assert.deepInclude(yield* view, { used: 30, held: 0 })
      }),
    )

    test(
      "counts what exceeds its hold, and then refuses",
      { used: 900 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allowance.settle(settlement(yield* hold("a"), 130))
        assert.deepInclude(yield* view, { used: 1_030, held: 0 })
        assert.strictEqual((yield* allowance.admit(ask("b")))._tag, "Exhausted")
      }),
    )

    test(
      "charges nothing and says nothing for a hold given back, which no late renewal revives",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const open = yield* hold("a")
        yield* allowance.release(open)
        yield* allowance.release(open)
        yield* allowance.renew([open])
        assert.deepInclude(yield* view, { used: 0, held: 0 })
        assert.deepStrictEqual(yield* events, [])
      }),
    )

    test(
      "puts back a hold that the store lost, but not one that was settled",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const settled = yield* hold("a")
        yield* allowance.settle(settlement(settled, 1))
        yield* allowance.renew([settled, holdOf("lost"), holdOf("lost too", { ask: 7 })])
        yield* allowance.renew([holdOf("lost")])
        assert.strictEqual((yield* view).held, 107)
      }),
    )

    test(
      "gives up a hold that nobody renewed for 90 s, once though two sweep, and charges nothing",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const [gone, kept] = [yield* hold("gone"), yield* hold("kept")]
        yield* TestClock.adjust("60 seconds")
        yield* allowance.renew([kept])
        yield* TestClock.adjust("29 seconds")
        assert.strictEqual(yield* allowance.sweep, 0)
        yield* TestClock.adjust("1 second")
        const swept = yield* Effect.all([allowance.sweep, allowance.sweep], { concurrency: 2 })
        assert.strictEqual(swept[0] + swept[1], 1)
        const { background: _, ...told } = gone
        assert.deepStrictEqual(yield* events, [{ _tag: "lost", at: start + 90_000, ...told }])
        assert.deepInclude(yield* view, { used: 0, held: 100 })
      }),
    )

    test(
      "leaves the owners of holds 30 s to renew after the store came up",
      "nothing",
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allowance.renew([holdOf("a")])
        yield* TestClock.adjust("29 seconds")
        assert.strictEqual(yield* allowance.sweep, 0)
      }),
    )

    test(
      "counts a truth that arrives after its hold was given up, once, as a correction",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const open = yield* hold("a")
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(yield* allowance.sweep, 1)
        assert.strictEqual(yield* allowance.settle(settlement(open, 60)), "corrected")
        assert.strictEqual(yield* allowance.settle(settlement(open, 60)), "repeat")
        assert.deepInclude(yield* view, { used: 60, held: 0 })
        assert.deepStrictEqual(
          (yield* events).map((one) => one._tag),
          ["lost", "correction"],
        )
      }),
    )

    test(
      "reports a hold as lost once, though its slow owner put it back",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const open = yield* hold("a")
        yield* TestClock.adjust("2 minutes")
        yield* allowance.sweep
        yield* allowance.renew([open])
        assert.strictEqual((yield* view).held, 100)
        yield* TestClock.adjust("2 minutes")
        yield* allowance.sweep
        assert.strictEqual((yield* view).held, 0)
        assert.strictEqual((yield* events).length, 1)
      }),
    )

    testsOn(layer.pipe(Layer.provide(Layer.succeed(BacklogLimit)(2))))(
      "fails closed while more events wait for the recorder than may",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        for (const one of ["a", "b", "c"]) yield* allowance.settle(settlement(yield* hold(one), 1))
        assert.strictEqual((yield* allowance.admit(ask("d")))._tag, "Backlogged")
      }),
    )
  })
