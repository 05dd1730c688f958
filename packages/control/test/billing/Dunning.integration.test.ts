import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import type { CustomerId } from "@berth/domain/Ids"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import * as Dunning from "../../src/billing/Dunning.ts"
import { type Day, days, dueDay } from "../../src/billing/DunningRule.ts"
import * as Lapses from "../../src/billing/Lapses.ts"
import * as Mirror from "../../src/billing/Mirror.ts"
import type { InvoiceState } from "../../src/billing/Payments.ts"
import { project } from "../../src/billing/Projection.ts"
import { graceMillis } from "../../src/billing/ServiceTerm.ts"
import { invoiceState } from "./Facts.ts"
import { customer, stateOf, world } from "./World.ts"

const day = 86_400_000

describe("the days on which an unpaid renewal is told", () => {
  it("come in their order, each once, however late and often one looks", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 * day }), { maxLength: 30 }), (instants) => {
        const told: Array<Day> = []
        for (const now of instants.toSorted((one, other) => one - other)) {
          const due = dueDay(0, now, told.at(-1))
          if (due !== undefined) told.push(due)
        }
        assert.deepStrictEqual(
          told,
          [...new Set(told)].toSorted((one, other) => one - other),
        )
        const last = instants.length === 0 ? undefined : days.findLast((one) => Math.max(...instants) >= one * day)
        assert.strictEqual(told.at(-1), last)
      }),
    )
  })
})

/** What Stripe says of the customer's renewal, as if it had been fetched now. */
const renewal = Effect.fn("renewal")(function* (customerId: CustomerId, over: Partial<InvoiceState>) {
  const sql = yield* SqlClient
  const [{ id, end } = { id: "", end: 0 }] = yield* sql<{ readonly id: string; readonly end: number }>`
    SELECT id, period_end AS end FROM subscriptions WHERE account_id = ${customerId}`
  const own = { id: `in_${customerId}`, subscriptionId: id, stripeCustomerId: null, paymentId: null }
  const invoice = invoiceState({ ...own, periodStart: end, periodEnd: end + 31 * day, ...over })
  yield* sql.withTransaction(
    Effect.andThen(
      Mirror.put(customerId, { subscription: undefined, invoices: [invoice], payments: [] }),
      project(customerId),
    ),
  )
})

const told = (customerId: CustomerId) =>
  Effect.map(stateOf(customerId), ({ events }) =>
    events
      .filter(({ type }: any) => /^(payment\.failed|service\.)/.test(type))
      .map(({ type, payload }: any) => (type === "payment.failed" ? payload.day : type)),
  )

const suspended = (customerId: CustomerId) =>
  Effect.map(stateOf(customerId), ({ agents }) => (agents[0] as any).desired.suspended)

layer(world, { timeout: "60 seconds", excludeTestServices: true })("a renewal that can't be charged", (it) => {
  it.effect("is told on four days, then stops the agent; paid after all it goes on, and each is told once", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId } = yield* customer()
      const [{ due } = { due: 0 }] = yield* sql<{ readonly due: number }>`
        SELECT paid_until AS due FROM subscriptions WHERE account_id = ${accountId}`
      const both = Effect.all([Dunning.tell, Dunning.tell, Lapses.carryOut, Lapses.carryOut], { concurrency: 4 })
      yield* TestClock.setTime(due)
      yield* renewal(accountId, { status: "draft", attempts: 0 })
      yield* both
      assert.deepStrictEqual(yield* told(accountId), [], "nothing failed yet")
      yield* renewal(accountId, { status: "open", attempts: 1 })
      for (const after of [0, 1, 3, 8, 13]) {
        yield* TestClock.setTime(due + after * day)
        yield* both
      }
      assert.deepStrictEqual(yield* told(accountId), [0, 3, 7, 13])
      assert.deepStrictEqual(yield* suspended(accountId), [])

      yield* TestClock.setTime(due + graceMillis)
      yield* both
      assert.deepStrictEqual(yield* told(accountId), [0, 3, 7, 13, "service.ended"])
      assert.deepStrictEqual(yield* suspended(accountId), ["payment"])

      yield* TestClock.setTime(due + graceMillis + day)
      yield* renewal(accountId, { status: "paid", attempts: 4 })
      yield* both
      assert.deepStrictEqual(yield* told(accountId), [0, 3, 7, 13, "service.ended", "service.resumed"])
      assert.deepStrictEqual(yield* suspended(accountId), [])
    }),
  )

  it.effect("tells why service ended: canceled, refunded, or unpaid, also when Stripe gave up on it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const ways = {
        canceled: (paid: number) => sql`cancel_at = ${paid}`,
        unpaid: (paid: number) => sql`cancel_at = ${paid + 2 * day}`,
        refunded: (paid: number) => sql`cancel_at = NULL, paid_until = ${paid}`,
      }
      for (const [why, change] of Object.entries(ways)) {
        const { accountId } = yield* customer()
        const [{ paid } = { paid: 0 }] = yield* sql<{ readonly paid: number }>`
          SELECT paid_until AS paid FROM subscriptions WHERE account_id = ${accountId}`
        yield* sql`UPDATE subscriptions SET ${change(paid)} WHERE account_id = ${accountId}`
        const ends = why === "unpaid" ? paid + 2 * day : paid
        yield* sql`UPDATE allowances SET service_until = ${ends} WHERE customer_id = ${accountId}`
        yield* TestClock.setTime(ends)
        yield* Lapses.carryOut
        const { events } = yield* stateOf(accountId)
        assert.deepInclude(events.at(-1)?.payload, { why, deletesAt: ends + Lapses.keptMillis })
      }
    }),
  )

  it.effect("does not bring back an agent that is suspended for something else as well", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId } = yield* customer()
      yield* sql`UPDATE agents SET desired = jsonb_set(desired, '{suspended}', '["abuse"]') WHERE customer_id = ${accountId}`
      const [{ due } = { due: 0 }] = yield* sql<{ readonly due: number }>`
        SELECT paid_until AS due FROM subscriptions WHERE account_id = ${accountId}`
      yield* renewal(accountId, { status: "open", attempts: 1 })
      yield* TestClock.setTime(due + graceMillis)
      yield* Lapses.carryOut
      assert.deepStrictEqual(yield* suspended(accountId), ["abuse", "payment"])
      yield* renewal(accountId, { status: "paid" })
      assert.deepStrictEqual(yield* suspended(accountId), ["abuse"])
    }),
  )
})
