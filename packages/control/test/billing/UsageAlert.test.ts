import { CustomerId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import { type Balance, decide, marks, sourceIdOf } from "../../src/billing/UsageAlert.ts"

const balance = (used: number, some: Partial<Balance> = {}): Balance => ({ period: 0, used, limit: 1_000, ...some })
const percent = (before: Balance, after: Balance) => decide(before, after, [])?.percent

describe("usage alerts", () => {
  it("come at 50, 80 and 100 percent, at the mark and not one token before", () => {
    for (const mark of marks) {
      assert.isUndefined(percent(balance(mark * 10 - 2), balance(mark * 10 - 1)), `${mark}`)
      assert.strictEqual(percent(balance(mark * 10 - 1), balance(mark * 10)), mark)
      assert.isUndefined(percent(balance(mark * 10), balance(mark * 10 + 1)), `${mark}`)
    }
  })

  it("tell the higher mark alone when usage crosses two at once", () => {
    assert.strictEqual(percent(balance(400), balance(900)), 80)
    assert.strictEqual(percent(balance(0), balance(1_200)), 100)
  })

  it("come anew at a higher limit, and not while its marks are not reached", () => {
    const more = { limit: 2_000 }
    assert.isUndefined(percent(balance(850, more), balance(900, more)))
    assert.strictEqual(percent(balance(900, more), balance(1_000, more)), 50)
    const customer = CustomerId.make("ann")
    const at = (limit: number) => sourceIdOf(customer, { period: 0, used: 1, limit, percent: 80 })
    assert.notStrictEqual(at(1_000), at(2_000))
  })

  it("count from nothing in a new period, and never speak of one that is over", () => {
    assert.isUndefined(percent(balance(790), balance(10, { period: 1 })))
    assert.strictEqual(percent(balance(990), balance(510, { period: 1 })), 50)
    assert.isUndefined(decide(balance(990), balance(10, { period: 1 }), [{ period: 0, limit: 1_000 }]))
  })

  it("say 100 percent at the first refusal, though a little is left", () => {
    assert.strictEqual(decide(balance(900), balance(900), [{ period: 0, limit: 1_000 }])?.percent, 100)
  })

  it("say nothing of a refusal at a limit that was raised meanwhile", () => {
    const raised = balance(900, { limit: 2_000 })
    assert.isUndefined(decide(raised, raised, [{ period: 0, limit: 1_000 }]))
  })

  it("say nothing while nothing may be used at all", () => {
    assert.isUndefined(percent(balance(0, { limit: 0 }), balance(0, { limit: 0 })))
  })

  it("in whatever batches usage is booked, each mark is told at most once and the last one reached always", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.nat(300), { maxLength: 20 }), (charges) => {
        let before = balance(0)
        const told: Array<number> = []
        for (const charge of charges) {
          const after = balance(before.used + charge)
          const alert = decide(before, after, [])
          if (alert !== undefined) told.push(alert.percent)
          before = after
        }
        assert.strictEqual(new Set(told).size, told.length)
        const last = marks.findLast((mark) => before.used >= mark * 10)
        assert.strictEqual(told.at(-1), last)
      }),
    )
  })
})
