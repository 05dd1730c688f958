import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { bought, type Invoice, paidOf, type Payment, settle, tierOf } from "../../src/billing/Grants.ts"
import { graceMillis } from "../../src/billing/ServiceTerm.ts"
import { invoiceState } from "./Facts.ts"

const payment = (over: Partial<Payment> = {}): Payment => ({
  id: "pi_1",
  amount: 4_900,
  refunded: 0,
  disputed: 0,
  settled: 0,
  taken: 0,
  ...over,
})

const first = invoiceState({ id: "in_1", reason: "create", periodStart: 0, periodEnd: 100, paymentId: "pi_1" })
const second = invoiceState({ id: "in_2", periodStart: 100, periodEnd: 200, paymentId: "pi_2" })

describe("what is paid", () => {
  it("is the latest period that a paid invoice is for, with two weeks of grace", () => {
    assert.deepStrictEqual(paidOf(0, [first, second], []), { paidUntil: 200, servedUntil: 200 + graceMillis })
  })

  it("does not move by an invoice that is not paid", () => {
    for (const status of ["draft", "open", "void", "uncollectible"] as const)
      assert.strictEqual(paidOf(0, [first, { ...second, status }], []).paidUntil, 100)
  })

  it("does not move by an upgrade", () => {
    const upgrade = invoiceState({ id: "in_u", reason: "update", periodStart: 0, periodEnd: 500 })
    assert.strictEqual(paidOf(0, [first, upgrade], []).paidUntil, 100)
  })

  it("ends without grace where the money went back, and stands while a part of it stays", () => {
    const back = payment({ id: "pi_2", refunded: 4_900 })
    assert.deepStrictEqual(paidOf(0, [first, second], [back]), { paidUntil: 100, servedUntil: 100 })
    assert.strictEqual(paidOf(0, [first, second], [{ ...back, refunded: 4_899 }]).paidUntil, 200)
    const disputed = payment({ id: "pi_2", refunded: 2_000, disputed: 2_900 })
    assert.deepStrictEqual(paidOf(0, [first, second], [disputed]), { paidUntil: 100, servedUntil: 100 })
  })

  it("counts what cost nothing", () => {
    const free = { ...second, amountPaid: 0, paymentId: null }
    assert.strictEqual(paidOf(0, [first, free], []).paidUntil, 200)
  })

  it("does not depend on the order of invoices", () => {
    const invoices = fc.array(
      fc.record({
        reason: fc.constantFrom("create" as const, "cycle" as const, "update" as const),
        status: fc.constantFrom("draft" as const, "open" as const, "paid" as const, "void" as const),
        tier: fc.constantFrom("starter" as const, "pro" as const, "team" as const),
        start: fc.nat(5),
      }),
      { maxLength: 8 },
    )
    fc.assert(
      fc.property(invoices, fc.nat(), (drawn, turn) => {
        const all: ReadonlyArray<Invoice> = drawn.map(({ start, ...one }, index) =>
          invoiceState({ ...one, id: `in_${index}`, periodStart: start * 100, periodEnd: (start + 1) * 100 }),
        )
        const cut = all.length === 0 ? 0 : turn % all.length
        const turned = [...all.slice(cut), ...all.slice(0, cut)].toReversed()
        const period = { startsAt: 200, endsAt: 300 }
        assert.deepStrictEqual(paidOf(0, turned, []), paidOf(0, all, []))
        assert.strictEqual(tierOf(turned, period), tierOf(all, period))
        const sum = (invoices: ReadonlyArray<Invoice>) =>
          bought(invoices, period).reduce((tokens, one) => tokens + one.tokens, 0)
        assert.strictEqual(sum(turned), sum(all))
      }),
    )
  })
})

describe("the grant of a period", () => {
  const period = { startsAt: 0, endsAt: 100 }
  const upgrade = invoiceState({ id: "in_u", reason: "update", tier: "team", periodStart: 0, periodEnd: 100 })

  it("is that of the dearest tier, each invoice adding what was missing", () => {
    assert.deepStrictEqual(
      bought([upgrade, first], period).map(({ invoice, tokens }) => [invoice.id, tokens]),
      [
        ["in_1", 5_000_000],
        ["in_u", 15_000_000],
      ],
    )
  })

  it("comes with a renewal before it is paid, with an upgrade only then", () => {
    assert.strictEqual(tierOf([{ ...first, status: "draft" }], period), "pro")
    assert.strictEqual(tierOf([first, { ...upgrade, status: "open" }], period), "pro")
    assert.strictEqual(tierOf([{ ...first, status: "void" }], period), undefined)
  })

  it("is of that period alone", () => {
    assert.strictEqual(tierOf([first, upgrade], { startsAt: 100, endsAt: 200 }), undefined)
  })
})

describe("money that goes back", () => {
  const purchased = { pool: "plan", tokens: 5_000_000, unused: 3_000_000 } as const

  it("takes its share of the tokens, as far as it is unused", () => {
    assert.deepStrictEqual(settle(payment({ refunded: 490 }), purchased), {
      tokens: -500_000,
      settled: 490,
      taken: 500_000,
    })
    assert.strictEqual(settle(payment({ refunded: 4_900 }), purchased)?.tokens, -3_000_000)
    assert.strictEqual(settle(payment({ refunded: 4_900 }), { ...purchased, unused: -5 })?.tokens, 0)
  })

  it("takes nothing twice", () => {
    const settled = payment({ refunded: 490, settled: 490, taken: 500_000 })
    assert.isUndefined(settle(settled, purchased))
    assert.strictEqual(settle({ ...settled, refunded: 980 }, purchased)?.tokens, -500_000)
  })

  it("gives back what a won dispute had taken, no more", () => {
    const lost = payment({ disputed: 0, settled: 4_900, taken: 3_000_000 })
    assert.deepStrictEqual(settle(lost, purchased), { tokens: 3_000_000, settled: 0, taken: 0 })
    const half = payment({ refunded: 2_450, settled: 4_900, taken: 3_000_000 })
    assert.strictEqual(settle(half, purchased)?.tokens, 500_000)
  })

  it("never takes more than is unused nor more than was bought, whatever goes back and forth", () => {
    const steps = fc.array(fc.record({ back: fc.nat(6_000), used: fc.nat(400_000) }), { maxLength: 12 })
    fc.assert(
      fc.property(steps, (drawn) => {
        let one = payment()
        let plan = 5_000_000
        let used = 0
        for (const { back, used: more } of drawn) {
          used = Math.min(plan, used + more)
          one = { ...one, refunded: back }
          const moved = settle(one, { pool: "plan", tokens: 5_000_000, unused: plan - used })
          if (moved === undefined) continue
          plan += moved.tokens
          one = { ...one, settled: moved.settled, taken: moved.taken }
          assert.isAtLeast(plan, used)
          assert.isAtMost(plan, 5_000_000)
          assert.strictEqual(plan, 5_000_000 - one.taken)
        }
      }),
    )
  })
})
