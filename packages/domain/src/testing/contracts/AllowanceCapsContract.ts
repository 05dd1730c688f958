/** What every `Allowance` promises about the daily cap, background turns, the switches of ops, and what comes too late. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { dayOf, endOfDay } from "../../Allowance/Period.ts"
import { Allowance } from "../../Allowance.ts"
import { Switches } from "../../Switches.ts"
import { UsageEvents } from "../../UsageEvents.ts"
import { type Backend, testsOn } from "./AllowanceContract.ts"
import {
  ask,
  change,
  customer,
  day,
  events,
  firstEnd,
  hold,
  holdOf,
  settlement,
  snapshot,
  start,
  terms,
  view,
} from "./AllowanceFixtures.ts"

const today = dayOf(start)
const background = { background: true }
const capped = terms({ dailyCap: 150 })
const shared = terms({ backgroundCap: 150 })

const admitting = (request: string, some: Parameters<typeof ask>[1] = {}) =>
  Allowance.use((allowance) => allowance.admit(ask(request, some)))
const tagOf = (request: string, some: Parameters<typeof ask>[1] = {}) =>
  Effect.map(admitting(request, some), (one) => one._tag)
const settle = (one: Parameters<typeof settlement>[0], tokens: number) =>
  Allowance.use((allowance) => allowance.settle(settlement(one, tokens)))

export const allowanceCapsContract = (name: string, layer: Backend) =>
  describe(`Allowance caps on ${name}`, () => {
    const test = testsOn(layer)

    test(
      "holds and charges no more in a UTC day than its cap, and refuses for the day only what the holds do not keep out",
      { terms: capped },
      Effect.gen(function* () {
        const first = yield* hold("a")
        const second = yield* hold("b")
        assert.strictEqual(second.ask, 50)
        assert.strictEqual(yield* tagOf("c"), "Busy")
        yield* settle(first, 130)
        assert.deepStrictEqual(yield* admitting("c"), { _tag: "DailyCapped", cap: 150, resetsAt: endOfDay(today) })
        assert.deepInclude(yield* view, { used: 130, held: 50, today: { day: today, used: 130 } })
        yield* settle(second, 5)
        assert.strictEqual((yield* hold("c", { prompt: 5, floor: 10 })).ask, 15)
      }),
    )

    test(
      "counts a charge into the day in which it settles, and begins each day with nothing used",
      { terms: capped, used: 300, today: { day: today, used: 140 } },
      Effect.gen(function* () {
        const late = yield* hold("late", { prompt: 0, floor: 0, completion: 10 })
        assert.strictEqual(yield* tagOf("a"), "DailyCapped")
        yield* TestClock.setTime(endOfDay(today) - 1)
        assert.strictEqual(yield* tagOf("a"), "DailyCapped")
        yield* TestClock.setTime(endOfDay(today))
        assert.deepInclude(yield* view, { used: 300, today: { day: today + 1, used: 0 } })
        yield* settle(late, 60)
        assert.strictEqual((yield* hold("a")).ask, 90)
        assert.deepInclude(yield* view, { used: 360, today: { day: today + 1, used: 60 } })
      }),
    )

    test(
      "gives nothing back of a day's cap when the clock is set back over midnight",
      { terms: capped },
      Effect.gen(function* () {
        const early = yield* hold("early", { completion: 10 })
        yield* TestClock.setTime(endOfDay(today))
        yield* settle(yield* hold("a"), 100)
        yield* TestClock.setTime(endOfDay(today) - 60_000)
        yield* settle(early, 30)
        assert.deepInclude(yield* view, { today: { day: today + 1, used: 130 } })
        const refused = { _tag: "DailyCapped" as const, cap: 150, resetsAt: endOfDay(today + 1) }
        assert.deepStrictEqual(yield* admitting("b"), refused)
      }),
    )

    test(
      "says that the month is used up before it says that the day is, and obeys a cap from the moment it is set",
      { terms: terms({ dailyCap: 0 }), used: 990 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        assert.strictEqual(yield* tagOf("a"), "Exhausted")
        yield* allowance.apply(change({ packsDelta: 500, terms: terms({ dailyCap: 0 }) }))
        assert.strictEqual(yield* tagOf("a"), "DailyCapped")
        yield* allowance.apply(change({ rev: 3 }))
        yield* hold("a")
      }),
    )

    test(
      "keeps background turns within their share of the period, whatever else is left, and leaves the rest to the others",
      { terms: shared },
      Effect.gen(function* () {
        const first = yield* hold("a", background)
        assert.deepStrictEqual(first, holdOf("a", background))
        const second = yield* hold("b", background)
        assert.strictEqual(second.ask, 50)
        assert.strictEqual(yield* tagOf("c", background), "Busy")
        assert.strictEqual((yield* hold("user")).ask, 100)
        yield* settle(first, 130)
        const refused = { _tag: "BackgroundCapped" as const, cap: 150, periodEnd: firstEnd }
        assert.deepStrictEqual(yield* admitting("c", background), refused)
        assert.deepInclude(yield* view, { used: 130, held: 150, background: 130, heldBackground: 50 })
        assert.strictEqual((yield* hold("user too")).ask, 100)
        const [event] = yield* events
        assert.deepInclude(event, { _tag: "usage", charge: 130, background: true })
      }),
    )

    test(
      "begins each period with nothing used by background turns, what they hold included",
      { terms: terms({ backgroundCap: 150, nextPlan: 2_000 }), used: 800, background: 140 },
      Effect.gen(function* () {
        const over = yield* hold("over", { ...background, prompt: 0, floor: 0, completion: 10 })
        yield* TestClock.setTime(firstEnd)
        assert.strictEqual((yield* hold("a", { ...background, completion: 500 })).ask, 140)
        yield* settle(over, 10)
        assert.deepInclude(yield* view, { period: 1, used: 0, background: 0, heldBackground: 140 })
      }),
    )

    test(
      "knows what background turns hold through every end and return of a hold",
      { terms: shared },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const heldNow = Effect.map(view, ({ held, heldBackground }) => [held, heldBackground])
        const one = yield* hold("one", { ...background, completion: 30 })
        const other = yield* hold("other", { completion: 20 })
        assert.deepStrictEqual(yield* heldNow, [70, 40])
        assert.deepStrictEqual(yield* admitting("one", { ...background, completion: 30 }), {
          _tag: "Admitted",
          hold: one,
          completion: 30,
          remaining: 930,
          limit: 1_000,
          periodEnd: firstEnd,
          tier: "pro",
        })
        yield* TestClock.adjust("2 minutes")
        yield* allowance.sweep
        assert.deepStrictEqual(yield* heldNow, [0, 0])
        yield* allowance.renew([one, other])
        assert.deepStrictEqual(yield* heldNow, [70, 40])
        yield* allowance.forget(customer)
        yield* allowance.rebuild(snapshot({ terms: shared }))
        assert.deepStrictEqual(yield* heldNow, [70, 40])
        yield* allowance.release(one)
        assert.deepStrictEqual(yield* heldNow, [30, 0])
        yield* settle(other, 1)
        assert.deepStrictEqual(yield* heldNow, [0, 0])
      }),
    )

    test(
      "carries the day's and the background turns' usage through a rebuild: recorded by the snapshot, the rest by the stream",
      { terms: terms({ dailyCap: 150, backgroundCap: 150 }) },
      Effect.gen(function* () {
        const [allowance, stream] = [yield* Allowance, yield* UsageEvents]
        yield* settle(yield* hold("recorded", background), 40)
        const { epoch, events: read } = yield* stream.after({ epoch: "", cursor: "0-0" }, 10)
        yield* settle(yield* hold("not yet", background), 30)
        yield* settle(yield* hold("a user's"), 7)
        const before = yield* view
        assert.deepInclude(before, { used: 77, background: 70, today: { day: today, used: 77 } })
        yield* allowance.forget(customer)
        yield* allowance.rebuild(
          snapshot({
            terms: before.terms,
            used: 40,
            background: 40,
            today: { day: today, used: 40 },
            recorded: { epoch, cursor: read[0]?.cursor ?? "" },
          }),
        )
        assert.deepStrictEqual(yield* view, before)
      }),
    )

    test(
      "counts what background turns settled in a period that Postgres does not know yet, once it opens",
      "nothing",
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* TestClock.setTime(firstEnd)
        yield* settle(holdOf("a", { period: 1, ...background }), 70)
        yield* allowance.rebuild(snapshot())
        yield* settle(holdOf("b", { period: 1, ...background }), 5)
        yield* settle(holdOf("c", { period: 1 }), 9)
        yield* hold("d")
        const expected = { period: 1, used: 84, background: 75, today: { day: dayOf(firstEnd), used: 84 } }
        assert.deepInclude(yield* view, expected)
      }),
    )

    test(
      "tells once for each limit of each period that it is used up",
      { used: 990 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const told = (period: number, used: number, limit: number, at = start) => ({
          _tag: "exhausted" as const,
          customerId: customer,
          at,
          period,
          used,
          limit,
        })
        for (const one of ["a", "b", "c"]) assert.strictEqual(yield* tagOf(one), "Exhausted")
        assert.deepStrictEqual(yield* events, [told(0, 990, 1_000)])
        yield* allowance.apply(change({ packsDelta: 10 }))
        for (const one of ["a", "b"]) assert.strictEqual(yield* tagOf(one), "Exhausted")
        assert.deepStrictEqual(yield* events, [told(0, 990, 1_000), told(0, 990, 1_010)])
        // What stands in the stream is known to a store that was rebuilt.
        yield* allowance.forget(customer)
        yield* allowance.rebuild(snapshot({ used: 990, packs: 10, rev: 2 }))
        assert.strictEqual(yield* tagOf("a"), "Exhausted")
        assert.strictEqual((yield* events).length, 2)
        yield* TestClock.setTime(firstEnd)
        yield* settle(yield* hold("d", { completion: 990 }), 1_000)
        assert.strictEqual(yield* tagOf("e"), "Exhausted")
        assert.deepStrictEqual((yield* events).at(-1), told(1, 1_000, 1_010, firstEnd))
      }),
    )

    test(
      "admits nothing that ops have stopped, settles what runs, and goes on as soon as it may",
      {},
      Effect.gen(function* () {
        const switches = yield* Switches
        const running = yield* hold("running")
        const stoppedBy = Effect.map(admitting("a"), (one) => (one._tag === "Stopped" ? one.what : one._tag))
        yield* switches.stop("all", "the provider is down")
        yield* switches.stop("model:kimi-k2.6", "it answers nonsense")
        yield* switches.stop(`customer:${customer}`, "abuse")
        yield* switches.stop("customer:somebody", "abuse")
        assert.strictEqual(yield* stoppedBy, "all")
        yield* switches.resume("all")
        assert.strictEqual(yield* stoppedBy, "model")
        assert.strictEqual(yield* tagOf("b", { model: "kimi-k2.7-code" }), "Stopped")
        yield* switches.stop(`customer:${customer}`, "abuse, as found")
        const expected: Array<[string, string]> = [
          [`customer:${customer}`, "abuse, as found"],
          ["customer:somebody", "abuse"],
          ["model:kimi-k2.6", "it answers nonsense"],
        ]
        assert.sameDeepMembers([...(yield* switches.all)], expected)
        yield* switches.resume(`customer:${customer}`)
        yield* hold("b", { model: "kimi-k2.7-code" })
        assert.strictEqual(yield* settle(running, 5), "settled")
        yield* switches.resume("model:kimi-k2.6")
        yield* switches.resume("model:kimi-k2.6")
        yield* hold("a")
        assert.deepInclude(yield* view, { used: 5, held: 200 })
      }),
    )

    test(
      "holds nothing for a request that was released, settled or lost before the store got its ask",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allowance.release(holdOf("released"))
        yield* settle(holdOf("settled"), 5)
        yield* hold("lost")
        yield* TestClock.adjust("2 minutes")
        yield* allowance.sweep
        for (const one of ["released", "settled", "lost"]) assert.strictEqual(yield* tagOf(one), "Ended")
        yield* hold("released", { attempt: 2 })
        yield* TestClock.adjust(day / 2)
        assert.strictEqual(yield* tagOf("settled"), "Ended")
        assert.deepInclude(yield* view, { used: 5, held: 100 })
      }),
    )
  })
