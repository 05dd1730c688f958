import { monthsAfter } from "@berth/domain/Allowance/Period"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import { Checkout } from "../../src/billing/Checkout.ts"
import { replay } from "./LedgerReplay.ts"
import * as Mirror from "../../src/billing/Mirror.ts"
import { project } from "../../src/billing/Projection.ts"
import { Purchase } from "../../src/billing/Purchase.ts"
import { StripeDouble } from "../../src/embedded/StripeDouble.ts"
import { customer, november, stateOf, stripeEvents, webhooksArrived, world } from "./World.ts"

const arrived = Effect.andThen(webhooksArrived, stripeEvents)
const suite = { timeout: "60 seconds", excludeTestServices: true } as const

layer(world, suite)("a customer whose plan has ended", (it) => {
  it.effect("comes back by another subscription of the same order: the same agent goes on with a new month", () =>
    Effect.gen(function* () {
      const double = yield* StripeDouble
      const sql = yield* SqlClient
      const { accountId, orderId, subscriptionId } = yield* customer()
      yield* double.cancel(subscriptionId, "now")
      yield* arrived
      assert.deepInclude((yield* stateOf(accountId)).allowances[0], { service_until: november })

      const back = november + 3 * 86_400_000
      yield* TestClock.setTime(back)
      const checkout = yield* Checkout
      const { url } = yield* checkout.open(accountId, orderId)
      assert.strictEqual((yield* checkout.open(accountId, orderId)).url, url, "one page, however often it is asked for")
      yield* double.pay(url.slice(url.lastIndexOf("/") + 1))
      yield* arrived

      const state = yield* stateOf(accountId)
      assert.lengthOf(state.agents, 1)
      assert.deepInclude(state.orders[0], { status: "paid", job_id: `job:${orderId}:1` })
      assert.notStrictEqual((state.orders[0] as any).subscription_id, subscriptionId)
      assert.deepInclude(state.allowances[0], { anchor: back, plan: 5_000_000 })
      assert.deepStrictEqual(
        state.periods.map(({ number, starts_at, ends_at }: any) => [number, starts_at, ends_at]),
        [
          [0, november, back],
          [1, back, monthsAfter(back, 1)],
        ],
      )
      const entries = yield* sql<any>`
        SELECT kind, pool, period::bigint, tokens FROM ledger_entries WHERE customer_id = ${accountId} ORDER BY id`
      assert.deepStrictEqual(replay(entries), { period: 1, plan: 5_000_000, packs: 0, used: 0 })
      assert.strictEqual((yield* Effect.flip(checkout.open(accountId, orderId)))._tag, "NotPayable")

      // What is refunded of the plan before takes nothing from the one that runs, and is told.
      const [{ id } = { id: "" }] = yield* sql<{ readonly id: string }>`
        SELECT payment_id AS id FROM invoices WHERE subscription_id = ${subscriptionId}`
      const payment = { id, stripeCustomerId: null, amount: 4_900, refunded: 4_900, disputed: 0 }
      yield* sql.withTransaction(
        Effect.andThen(
          Mirror.put(accountId, { subscription: undefined, invoices: [], payments: [payment] }),
          project(accountId),
        ),
      )
      const after = yield* stateOf(accountId)
      assert.deepInclude(after.allowances[0], {
        plan: 5_000_000,
        packs: 0,
        service_until: state.allowances[0]?.service_until,
      })
      assert.deepInclude(after.events.at(-1)?.payload, { cents: 4_900, tokens: 0 })
    }),
  )

  it.effect("is back as soon as the page says so, though Stripe's webhook is late", () =>
    Effect.gen(function* () {
      const double = yield* StripeDouble
      const { accountId, orderId, subscriptionId, jobId } = yield* customer()
      const provision = (yield* Purchase).provision(orderId)
      yield* double.cancel(subscriptionId, "now")
      yield* arrived
      const { url } = yield* (yield* Checkout).open(accountId, orderId)
      assert.strictEqual(yield* Effect.map(Effect.flip(provision), ({ _tag }) => _tag), "OrderUnpaid")
      yield* double.pay(url.slice(url.lastIndexOf("/") + 1))
      assert.strictEqual(yield* provision, jobId)
      const [order] = (yield* stateOf(accountId)).orders
      assert.notStrictEqual(order?.subscription_id, subscriptionId)
      const before = (yield* stateOf(accountId)).orders
      yield* arrived
      assert.deepStrictEqual((yield* stateOf(accountId)).orders, before)
    }),
  )

  it.effect("who pays twice gets the second payment back, and its subscription ends", () =>
    Effect.gen(function* () {
      const double = yield* StripeDouble
      const sql = yield* SqlClient
      const { accountId, orderId } = yield* customer()
      yield* sql`UPDATE orders SET status = 'open' WHERE id = ${orderId}`
      yield* sql`UPDATE orders SET checkout_id = NULL WHERE id = ${orderId}`
      const { url } = yield* (yield* Checkout).open(accountId, orderId)
      yield* sql`UPDATE orders SET status = 'paid' WHERE id = ${orderId}`
      yield* double.pay(url.slice(url.lastIndexOf("/") + 1))
      yield* arrived
      const { refunds, subscriptions } = yield* double.world
      assert.deepStrictEqual(Object.values(refunds ?? {}), [4_900])
      const ended = Object.values(subscriptions).filter(
        ({ status, metadata }) => status === "canceled" && metadata["order_id"] === orderId,
      )
      assert.lengthOf(ended, 1)
      const told = (yield* stateOf(accountId)).events.map(({ type }: any) => type)
      assert.include(told, "payment.refunded")
    }),
  )
})
