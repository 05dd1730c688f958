/** What every `Allowance` promises about billing's changes, the roll-over of periods, and being rebuilt from Postgres. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { dayOf, monthsAfter } from "../../Allowance/Period.ts"
import { Allowance } from "../../Allowance.ts"
import { CustomerId } from "../../Ids.ts"
import { UsageEvents } from "../../UsageEvents.ts"
import { type Backend, testsOn } from "./AllowanceContract.ts"
import {
  anchor,
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

const beginning = { epoch: "", cursor: "0-0" }

export const allowanceChangesContract = (name: string, layer: Backend) =>
  describe(`Allowance changes on ${name}`, () => {
    const test = testsOn(layer)

    test(
      "applies a change once and only after the one before it",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const pack = (rev: number) => allowance.apply(change({ rev, packsDelta: 500 }))
        assert.strictEqual(yield* pack(3), "gap")
        assert.strictEqual(yield* pack(2), "applied")
        assert.strictEqual(yield* pack(2), "skipped")
        assert.strictEqual(yield* pack(1), "skipped")
        assert.deepInclude(yield* view, { rev: 2, packs: 500, limit: 1_500 })
        const another = CustomerId.make("another")
        const outdated = (rev: number) =>
          allowance.outdated([another, customer].map((customerId) => ({ customerId, rev })))
        assert.deepStrictEqual(yield* outdated(2), [another])
        assert.deepStrictEqual(yield* outdated(3), [another, customer], "a change of which it does not know")
        assert.deepStrictEqual(yield* allowance.outdated([]), [])
        yield* allowance.forget(customer)
        assert.deepStrictEqual(yield* outdated(1), [another, customer])
        assert.strictEqual(yield* pack(3), "absent")
        assert.isTrue(Option.isNone(yield* allowance.view(customer)))
        assert.isTrue(Option.isNone(yield* allowance.customerOf("hash-1")))
      }),
    )

    test(
      "gives a period that has closed meanwhile the plan that a change had for it, with its late settlements",
      { used: 1_150, packs: 500 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const late = yield* hold("late", { completion: 0, floor: 0 })
        yield* TestClock.setTime(firstEnd)
        yield* hold("new")
        assert.deepInclude(yield* view, { period: 1, packs: 350 })
        const upgrade = change({ rev: 2, period: 0, terms: terms({ plan: 1_100, nextPlan: 3_000 }), packsDelta: 7 })
        assert.strictEqual(yield* allowance.apply(upgrade), "applied")
        const after = yield* view
        assert.deepInclude(after, { period: 1, packs: 457 })
        assert.deepInclude(after.terms, { plan: 1_000, nextPlan: 3_000 }, "the running one keeps its own")
        yield* allowance.settle(settlement(late, 20))
        assert.strictEqual((yield* view).packs, 437)
        const downgrade = change({ rev: 3, period: 0, terms: terms({ plan: 1_000, nextPlan: 3_000 }) })
        yield* allowance.apply(downgrade)
        assert.strictEqual((yield* view).packs, 337)
      }),
    )

    test(
      "changes terms and packs and never what is used and held",
      { used: 40, packs: 100 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* hold("a")
        const next = terms({ tier: "team", plan: 5_000, nextPlan: 6_000, serviceUntil: start + 40 * day, tokens: [] })
        yield* allowance.apply(change({ terms: next, packsDelta: -300 }))
        assert.deepStrictEqual(yield* view, {
          rev: 2,
          terms: next,
          period: 0,
          periodEnd: firstEnd,
          packs: 0,
          used: 40,
          held: 100,
          background: 0,
          heldBackground: 0,
          today: { day: dayOf(start), used: 0 },
          limit: 5_000,
        })
      }),
    )

    test(
      "opens a due period at the next admission, with what billing set for it, and tells the recorder",
      { used: 1_300, packs: 500, terms: terms({ nextPlan: 2_000 }) },
      Effect.gen(function* () {
        yield* TestClock.setTime(firstEnd - 1)
        yield* hold("before")
        yield* TestClock.setTime(firstEnd)
        const opened = yield* hold("after")
        assert.strictEqual(opened.period, 1)
        const endsAt = monthsAfter(anchor, 2)
        // 1,300 used of a plan of 1,000 took 300 from the packs; the hold from before goes on.
        assert.deepInclude(yield* view, { period: 1, periodEnd: endsAt, used: 0, held: 200, packs: 200, limit: 2_200 })
        assert.deepStrictEqual(yield* events, [
          { _tag: "period", customerId: customer, at: firstEnd, period: 1, startsAt: firstEnd, endsAt, plan: 2_000 },
        ])
      }),
    )

    test(
      "takes what settles late beyond its own plan from today's packs, and never from today's plan",
      { used: 950, packs: 500 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const [first, second] = [yield* hold("a"), yield* hold("b")]
        yield* TestClock.setTime(firstEnd)
        yield* hold("c")
        yield* allowance.settle(settlement(first, 80))
        assert.deepInclude(yield* view, { used: 0, held: 200, packs: 470 })
        yield* allowance.settle(settlement(second, 100))
        assert.deepInclude(yield* view, { used: 0, held: 100, packs: 370 })
      }),
    )

    test(
      "opens every month of an idle agent, one after another, the day clamped to each month",
      {
        terms: terms({ anchor: Date.UTC(2025, 9, 31, 8) }),
        periodEnd: Date.UTC(2026, 0, 31, 8),
        used: 1_100,
        packs: 300,
      },
      Effect.gen(function* () {
        const ends = [Date.UTC(2026, 1, 28, 8), Date.UTC(2026, 2, 31, 8), Date.UTC(2026, 3, 30, 8)] as const
        yield* TestClock.setTime(Date.UTC(2026, 3, 1))
        assert.strictEqual((yield* hold("a")).period, 3)
        assert.deepInclude(yield* view, { period: 3, periodEnd: ends[2], used: 0, packs: 200 })
        assert.deepStrictEqual(
          (yield* events).map((one) => one._tag === "period" && one.endsAt),
          [...ends],
        )
      }),
    )

    test(
      "opens nothing once the service has ended",
      { terms: terms({ serviceUntil: firstEnd + day }) },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* TestClock.setTime(firstEnd + day)
        const lapsed = yield* allowance.admit(ask("a"))
        assert.deepStrictEqual(lapsed, { _tag: "Lapsed", serviceUntil: firstEnd + day })
        assert.deepStrictEqual(yield* events, [])
        assert.strictEqual((yield* view).period, 0)
      }),
    )

    test(
      "grants no month of an unpaid gap: the period after it starts with the new anchor",
      { terms: terms({ serviceUntil: firstEnd }) },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const back = firstEnd + 70 * day
        yield* TestClock.setTime(back)
        yield* allowance.apply(change({ terms: terms({ anchor: back }) }))
        yield* hold("a")
        assert.deepInclude(yield* view, { period: 1, periodEnd: monthsAfter(back, 1) })
      }),
    )

    test(
      "ends the running period where the anchor is moved into it, and begins another month there",
      { used: 1_200, packs: 300 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const back = start + day
        yield* TestClock.setTime(back)
        yield* allowance.apply(change({ terms: terms({ anchor: back, nextPlan: 3_000 }) }))
        yield* hold("a")
        assert.deepInclude(yield* view, { period: 1, periodEnd: monthsAfter(back, 1), packs: 100, limit: 3_100 })
        yield* allowance.apply(change({ rev: 3, period: 1, terms: terms({ anchor: back, plan: 3_000 }) }))
        assert.deepInclude(yield* view, { period: 1, periodEnd: monthsAfter(back, 1), limit: 3_100 })
      }),
    )

    test(
      "ends no period that it opened by itself where an older one's anchor is moved to",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* TestClock.setTime(firstEnd)
        yield* hold("a")
        yield* allowance.apply(change({ period: 0, terms: terms({ anchor: firstEnd - day }) }))
        assert.deepInclude(yield* view, { period: 1, periodEnd: monthsAfter(anchor, 2) })
      }),
    )

    test(
      "shows what the next admission will find, a period that is due included",
      { used: 700 },
      Effect.gen(function* () {
        yield* TestClock.setTime(firstEnd)
        assert.deepInclude(yield* view, { period: 1, used: 0 })
        assert.deepStrictEqual(yield* events, [])
      }),
    )

    test(
      "leaves alone the grant of a period that billing did not know yet",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* TestClock.setTime(firstEnd)
        yield* hold("a")
        yield* allowance.apply(change({ period: 0, terms: terms({ plan: 5_000, nextPlan: 5_000 }) }))
        const { terms: now } = yield* view
        assert.deepInclude(now, { plan: 1_000, nextPlan: 5_000 })
        yield* allowance.apply(change({ rev: 3, period: 1, terms: terms({ plan: 5_000, nextPlan: 5_000 }) }))
        assert.strictEqual((yield* view).limit, 5_000)
      }),
    )

    test(
      "opens the period that billing opened before it",
      { used: 1_200, packs: 300 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* TestClock.setTime(firstEnd)
        yield* allowance.apply(change({ period: 1, terms: terms({ plan: 3_000 }) }))
        assert.deepInclude(yield* view, { period: 1, used: 0, packs: 100, limit: 3_100 })
        yield* hold("a")
        assert.deepInclude(yield* view, { period: 1, periodEnd: monthsAfter(anchor, 2) })
      }),
    )

    test(
      "rebuilds only what is absent, or lacks a change that the snapshot has",
      { used: 5 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        assert.strictEqual(yield* allowance.rebuild(snapshot({ used: 900 })), "present")
        assert.strictEqual((yield* view).used, 5)
        const open = yield* hold("open")
        const later = snapshot({ used: 7, rev: 2, terms: terms({ paused: true, tokens: ["hash-2"] }) })
        assert.strictEqual(yield* allowance.rebuild(later), "rebuilt")
        assert.deepInclude(yield* view, { used: 7, held: 100, rev: 2 })
        assert.isTrue(Option.isNone(yield* allowance.customerOf("hash-1")), "its old token is gone with it")
        yield* allowance.settle(settlement(open, 1))
        assert.deepInclude(yield* view, { used: 8, held: 0 })
      }),
    )

    test(
      "knows after a rebuild what the snapshot counts: a repeat of it is one, and its hold is gone",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const [known, lost] = [yield* hold("known"), yield* hold("lost")]
        yield* allowance.forget(customer)
        yield* allowance.rebuild(snapshot({ used: 30, counted: ["usage:known:1"] }))
        assert.deepInclude(yield* view, { used: 30, held: 100 })
        assert.strictEqual(yield* allowance.settle(settlement(known, 30)), "repeat")
        assert.strictEqual(yield* allowance.settle(settlement(lost, 12)), "settled")
        assert.deepInclude(yield* view, { used: 42, held: 0 })
      }),
    )

    test(
      "asks about what the stream tells before it counts it, and counts nothing that the snapshot has",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        for (const request of ["a", "b"]) yield* allowance.settle(settlement(yield* hold(request), 10))
        yield* allowance.forget(customer)
        const asked = ["usage:a:1", "usage:b:1"]
        assert.deepStrictEqual(yield* allowance.rebuild(snapshot({ used: 30 }), []), { unsure: asked })
        assert.deepStrictEqual(yield* allowance.rebuild(snapshot({ used: 30, counted: ["usage:a:1"] }), []), {
          unsure: ["usage:b:1"],
        })
        assert.isTrue(Option.isNone(yield* allowance.view(customer)))
        assert.strictEqual(yield* allowance.rebuild(snapshot({ used: 30, counted: ["usage:a:1"] }), asked), "rebuilt")
        assert.strictEqual((yield* view).used, 40)
      }),
    )

    test(
      "opens a period with what Postgres knows of it already",
      "nothing",
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const ahead = [{ period: 1, used: 70, background: 20 }]
        yield* allowance.rebuild(snapshot({ used: 1_010, packs: 20, ahead }))
        yield* TestClock.setTime(firstEnd)
        yield* hold("c")
        assert.deepInclude(yield* view, { period: 1, used: 70, background: 20, packs: 10 })
      }),
    )

    test(
      "counts after a rebuild every charge once: recorded ones by the snapshot, the others by the stream",
      { packs: 50 },
      Effect.gen(function* () {
        const [allowance, stream] = [yield* Allowance, yield* UsageEvents]
        for (const [request, tokens] of [
          ["a", 10],
          ["b", 20],
          ["c", 40],
        ] as const)
          yield* allowance.settle(settlement(yield* hold(request), tokens))
        const open = yield* hold("open", { completion: 60 })
        const { epoch, events: read } = yield* stream.after(beginning, 10)
        yield* allowance.forget(customer)
        // Settled while nobody had rebuilt: its event alone counts it.
        assert.strictEqual(yield* allowance.settle(settlement(holdOf("d"), 80)), "settled")
        const recorded = { epoch, cursor: read[1]?.cursor ?? "" }
        yield* stream.trim(recorded)
        assert.strictEqual(yield* allowance.rebuild(snapshot({ used: 30, packs: 50, recorded })), "rebuilt")
        assert.deepInclude(yield* view, { used: 150, held: 70, packs: 50 })
        yield* allowance.settle(settlement(open, 1))
        assert.deepInclude(yield* view, { used: 151, held: 0 })
      }),
    )

    test(
      "counts once what is recorded and was not trimmed yet",
      {},
      Effect.gen(function* () {
        const [allowance, stream] = [yield* Allowance, yield* UsageEvents]
        for (const request of ["a", "b"]) yield* allowance.settle(settlement(yield* hold(request), 10))
        const { epoch, events: read } = yield* stream.after(beginning, 10)
        yield* allowance.forget(customer)
        yield* allowance.rebuild(snapshot({ used: 10, recorded: { epoch, cursor: read[0]?.cursor ?? "" } }))
        assert.strictEqual((yield* view).used, 20)
      }),
    )

    test(
      "reads the whole stream when the snapshot knows another life of it",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allowance.settle(settlement(yield* hold("a"), 10))
        yield* allowance.forget(customer)
        yield* allowance.rebuild(
          snapshot({ used: 500, recorded: { epoch: "an older one", cursor: "99999999999999-0" } }),
        )
        assert.strictEqual((yield* view).used, 510)
      }),
    )

    test(
      "refuses a snapshot that lacks what was recorded and trimmed since",
      {},
      Effect.gen(function* () {
        const [allowance, stream] = [yield* Allowance, yield* UsageEvents]
        for (const request of ["a", "b"]) yield* allowance.settle(settlement(yield* hold(request), 10))
        const { epoch, events: read } = yield* stream.after(beginning, 10)
        const place = (index: number) => ({ epoch, cursor: read[index]?.cursor ?? "" })
        yield* allowance.forget(customer)
        yield* stream.trim(place(1))
        const taken = snapshot({ used: 10, recorded: place(0) })
        assert.strictEqual(yield* allowance.rebuild(taken), "stale")
        assert.strictEqual(yield* allowance.rebuild({ ...taken, recorded: { epoch: "other", cursor: "0-0" } }), "stale")
        assert.isTrue(Option.isNone(yield* allowance.view(customer)))
        assert.strictEqual(yield* allowance.rebuild({ ...taken, used: 20, recorded: place(1) }), "rebuilt")
        assert.strictEqual((yield* view).used, 20)
      }),
    )

    test(
      "loses nothing and doubles nothing that settles while it is rebuilt",
      { terms: terms({ plan: 20_000 }) },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        for (let round = 0; round < 5; round++) {
          const open = yield* Effect.forEach(Array.from({ length: 20 }), (_, index) => hold(`${round}-${index}`))
          yield* allowance.forget(customer)
          const settling = open.map((one) => allowance.settle(settlement(one, 10)))
          const rebuilding = allowance.rebuild(snapshot({ terms: terms({ plan: 20_000 }) }))
          yield* Effect.all([...settling.slice(0, 10), rebuilding, ...settling.slice(10)], { concurrency: "unbounded" })
          assert.deepInclude(yield* view, { used: 200 * (round + 1), held: 0 })
        }
      }),
    )

    test(
      "carries periods and late truths of the stream into a rebuild",
      { used: 990, packs: 500 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const late = yield* hold("late", { completion: 0, floor: 0 })
        yield* TestClock.setTime(firstEnd)
        yield* allowance.settle(settlement(yield* hold("new"), 33))
        yield* allowance.settle(settlement(late, 50))
        const before = yield* view
        assert.deepInclude(before, { period: 1, used: 33, packs: 460 })
        yield* allowance.forget(customer)
        yield* allowance.rebuild(snapshot({ used: 990, packs: 500 }))
        assert.deepStrictEqual(yield* view, before)
      }),
    )

    test(
      "counts what settled in a period that Postgres does not know yet, once it opens",
      "nothing",
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* TestClock.setTime(firstEnd)
        yield* allowance.settle(settlement(holdOf("a", { period: 1 }), 70))
        yield* allowance.rebuild(snapshot({ used: 1_010, packs: 20 }))
        yield* allowance.settle(settlement(holdOf("b", { period: 1 }), 5))
        assert.strictEqual((yield* hold("c")).period, 1)
        assert.deepInclude(yield* view, { period: 1, used: 75, packs: 10 })
      }),
    )
  })
