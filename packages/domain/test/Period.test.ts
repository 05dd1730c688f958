import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { boundaryAfter, monthsAfter } from "../src/Allowance/Period.ts"

const Instant = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Date.UTC(2120, 0) }))

describe("Period", () => {
  it("clamps the day to each month's length and never shifts the later ones", () => {
    const anchor = Date.UTC(2027, 9, 31, 13, 5, 7, 11)
    const ends = [1, 2, 3, 4, 5].map((months) => new Date(monthsAfter(anchor, months)).toISOString())
    assert.deepStrictEqual(ends, [
      "2027-11-30T13:05:07.011Z",
      "2027-12-31T13:05:07.011Z",
      "2028-01-31T13:05:07.011Z",
      "2028-02-29T13:05:07.011Z",
      "2028-03-31T13:05:07.011Z",
    ])
  })

  it("ends a period strictly later than an instant on the boundary", () => {
    const anchor = Date.UTC(2026, 0, 15, 8)
    assert.strictEqual(boundaryAfter(anchor, anchor), Date.UTC(2026, 1, 15, 8))
    assert.strictEqual(boundaryAfter(anchor, Date.UTC(2026, 1, 15, 8)), Date.UTC(2026, 2, 15, 8))
    assert.strictEqual(boundaryAfter(anchor, Date.UTC(2026, 1, 15, 8) - 1), Date.UTC(2026, 1, 15, 8))
  })

  it.prop(
    "finds the first of the anchor's months after any instant",
    { anchor: Instant, instant: Instant },
    ({ anchor, instant }) => {
      let months = 0
      while (monthsAfter(anchor, months) > instant) months -= 12
      while (monthsAfter(anchor, months) <= instant) months += 1
      assert.strictEqual(boundaryAfter(anchor, instant), monthsAfter(anchor, months))
    },
  )
})
