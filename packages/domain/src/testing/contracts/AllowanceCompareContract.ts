/** What every `Allowance` promises about being compared with Postgres. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { Allowance, type AllowanceSnapshot, type Compared } from "../../Allowance.ts"
import { sourceIdOf } from "../../Usage.ts"
import { UsageEvents } from "../../UsageEvents.ts"
import { change, customer, day, events, firstEnd, hold, settlement, snapshot, terms } from "./AllowanceFixtures.ts"
import { type Backend, testsOn } from "./AllowanceContract.ts"

const same = { differences: [] }

/** With a snapshot that was asked about everything in the stream. */
const compared = Effect.fn("compared")(function* (known: AllowanceSnapshot) {
  const allowance = yield* Allowance
  return yield* allowance.compare(known, (yield* events).map(sourceIdOf))
})

/** Everything so far is recorded and has left the stream. */
const recorded = Effect.gen(function* () {
  const stream = yield* UsageEvents
  const { epoch, events } = yield* stream.after({ epoch: "", cursor: "0-0" }, 1_000)
  const place = { epoch, cursor: events.at(-1)?.cursor ?? "0-0" }
  yield* stream.trim(place)
  return place
})

export const allowanceCompareContract = (name: string, layer: Backend) =>
  describe(`Allowance on ${name} beside Postgres`, () => {
    const test = testsOn(layer)

    test(
      "is the same through holds, settlements and periods, recorded or not",
      { packs: 500 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const known = snapshot({ packs: 500 })
        assert.deepStrictEqual(yield* compared(known), same)
        const asked = yield* hold("a")
        const byItself = yield* hold("b", { background: true })
        assert.deepStrictEqual(yield* compared(known), same, "with open holds")
        yield* allowance.settle(settlement(asked, 1_200))
        yield* allowance.settle(settlement(byItself, 30))
        yield* allowance.release(yield* hold("c"))
        const late = yield* hold("d")
        assert.deepStrictEqual(yield* compared(known), same, "with usage that is not recorded")

        yield* TestClock.setTime(firstEnd + day)
        assert.deepStrictEqual(yield* compared(known), same, "when a period is due")
        yield* hold("e")
        yield* allowance.settle(settlement(late, 50))
        assert.deepStrictEqual(
          yield* compared(known),
          same,
          "in the next period, with a late settlement into the first",
        )

        const now = {
          period: 1,
          periodEnd: Date.UTC(2026, 2, 15, 8),
          packs: 220,
          older: [{ period: 0, used: 1_280, plan: 1_000 }],
          recorded: yield* recorded,
        }
        assert.deepStrictEqual(yield* compared(snapshot(now)), same, "when all is recorded")
      }),
    )

    test(
      "is told where it differs, by what",
      { packs: 500 },
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allowance.settle(settlement(yield* hold("a", { background: true }), 70))
        const known = snapshot({ packs: 400, used: 7, background: 3 })
        assert.deepStrictEqual(yield* compared(known), {
          differences: [
            { what: "packs", expected: 400, found: 500 },
            { what: "used", expected: 77, found: 70 },
            { what: "background", expected: 73, found: 70 },
          ],
        })
      }),
    )

    test(
      "counts nothing twice that Postgres has and the stream still tells",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allowance.settle(settlement(yield* hold("a"), 70))
        const known = snapshot({ used: 70 })
        const unsure: Compared = { unsure: ["usage:a:1"] }
        assert.deepStrictEqual(yield* allowance.compare(known, []), unsure, "it may be one that was recorded before")
        assert.deepStrictEqual(yield* compared({ ...known, counted: ["usage:a:1"] }), same)
      }),
    )

    test(
      "is not compared with a snapshot that is too old, nor before it is rebuilt or changed",
      {},
      Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allowance.settle(settlement(yield* hold("a"), 70))
        const now = { used: 70, recorded: yield* recorded }
        assert.strictEqual(yield* compared(snapshot()), "stale", "what it lacks has left the stream")
        assert.strictEqual(yield* compared(snapshot({ ...now, rev: 2 })), "outdated", "a change is on its way")
        yield* allowance.apply(change({ terms: terms({ plan: 2_000 }) }))
        assert.strictEqual(yield* compared(snapshot(now)), "stale", "a change came in between")
        yield* allowance.forget(customer)
        assert.strictEqual(yield* compared(snapshot()), "outdated", "there is none")
      }),
    )
  })
