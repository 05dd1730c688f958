import { Work } from "@berth/domain/Work"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { graceMillis } from "../../src/billing/ServiceTerm.ts"
import { StripeDouble } from "../../src/embedded/StripeDouble.ts"
import { customer, november, stripeEvents, webhooksArrived, world } from "./World.ts"

const december = Date.UTC(2026, 11, 24, 12)
const january = Date.UTC(2027, 0, 24, 12)

const serviceUntil = Effect.fn("serviceUntil")(function* (customerId: string) {
  const sql = yield* SqlClient
  const [row] = yield* sql<{ at: number; rev: number }>`
    SELECT service_until AS at, rev FROM allowances WHERE customer_id = ${customerId}`
  return row
})

layer(world, { timeout: "60 seconds", excludeTestServices: true })("a subscription's events", (it) => {
  it.effect("invoice.paid moves the end of service to the paid period's end and two weeks, once", () =>
    Effect.gen(function* () {
      const double = yield* StripeDouble
      const sql = yield* SqlClient
      const work = yield* Work
      const { accountId, subscriptionId } = yield* customer()
      assert.deepEqual(yield* serviceUntil(accountId), { at: december + graceMillis, rev: 1 })
      yield* double.renew(subscriptionId)
      yield* webhooksArrived
      yield* stripeEvents
      assert.deepEqual(yield* serviceUntil(accountId), { at: january + graceMillis, rev: 2 })
      // Every event again, the newest first.
      const rows = yield* sql<{ id: string }>`SELECT id FROM work WHERE queue = 'stripe' ORDER BY position DESC`
      for (const { id } of rows) {
        yield* work.reopen(id)
        yield* stripeEvents
      }
      assert.deepEqual(yield* serviceUntil(accountId), { at: january + graceMillis, rev: 2 })
    }),
  )

  it.effect("a paid invoice makes a provisional period final", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId, subscriptionId } = yield* customer()
      yield* sql`INSERT INTO allowance_periods (customer_id, number, starts_at, ends_at, plan, provisional)
                 VALUES (${accountId}, 1, ${december}, ${january}, 5000000, true)`
      yield* (yield* StripeDouble).renew(subscriptionId)
      yield* webhooksArrived
      yield* stripeEvents
      const rows = yield* sql`SELECT 1 FROM allowance_periods WHERE customer_id = ${accountId} AND provisional`
      assert.lengthOf(rows, 0)
    }),
  )

  it.effect("a cancellation ends service when it takes effect, without grace", () =>
    Effect.gen(function* () {
      const double = yield* StripeDouble
      const { accountId, subscriptionId } = yield* customer()
      yield* double.cancel(subscriptionId, "periodEnd")
      yield* webhooksArrived
      yield* stripeEvents
      assert.deepInclude(yield* serviceUntil(accountId), { at: december })
      yield* double.cancel(subscriptionId, "now")
      yield* webhooksArrived
      yield* stripeEvents
      assert.deepInclude(yield* serviceUntil(accountId), { at: november })
      const sql = yield* SqlClient
      const [mirror] = yield* sql`SELECT status FROM subscriptions WHERE id = ${subscriptionId}`
      assert.deepEqual(mirror, { status: "canceled" })
    }),
  )
})
