/**
 * What Stripe's events do. The object is fetched anew outside any transaction; then its effect and the mark that the event
 * is done are one commit. A repeated, late or reordered event ends in the same state.
 */
import { type Taken, Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { type PaymentEvent, PaymentEvent as PaymentEventSchema, Payments } from "./Payments.ts"
import { Purchase } from "./Purchase.ts"
import { SubscriptionSync } from "./SubscriptionSync.ts"
import { Hopeless } from "../Worker.ts"

const handled = Metric.counter("berth_stripe_events", { description: "Events by type", incremental: true })

/** Which rule an event calls for. */
export const routeOf = (type: string): "checkout" | "expiry" | "invoice" | "subscription" | "none" => {
  switch (type) {
    case "checkout.session.completed":
    // A payment that took its time.
    case "checkout.session.async_payment_succeeded":
      return "checkout"
    case "checkout.session.expired":
      return "expiry"
    case "invoice.paid":
      return "invoice"
    case "customer.subscription.updated":
    case "customer.subscription.deleted":
      return "subscription"
    default:
      return "none"
  }
}

const decode = Schema.decodeUnknownEffect(PaymentEventSchema)

const checkoutCompleted = Effect.fn("StripeEvents.checkoutCompleted")(function* (rowId: string, event: PaymentEvent) {
  const sql = yield* SqlClient
  const work = yield* Work
  const purchase = yield* Purchase
  const events = yield* CustomerEvents
  const facts = yield* purchase.gather(event.objectId)
  const settled = yield* sql.withTransaction(
    Effect.gen(function* () {
      const settled = yield* purchase.settle(facts)
      const waits = settled.job !== undefined && Result.isFailure(settled.job)
      if (!waits) yield* work.done(rowId)
      return settled
    }),
  )
  if (settled.customerId !== undefined) yield* events.announce(settled.customerId)
  // The payment stands; the row stays and the agent is tried again.
  if (settled.job !== undefined) yield* Effect.fromResult(settled.job)
})

/** The order stays open; its next checkout is another attempt. */
const checkoutExpired = Effect.fn("StripeEvents.checkoutExpired")(function* (rowId: string, event: PaymentEvent) {
  const sql = yield* SqlClient
  const work = yield* Work
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`UPDATE orders SET checkout_url = NULL WHERE checkout_id = ${event.objectId} AND status <> 'paid'`
      yield* work.done(rowId)
    }),
  )
})

const subscriptionChanged = Effect.fn("StripeEvents.subscriptionChanged")(function* (
  rowId: string,
  event: PaymentEvent,
) {
  const sql = yield* SqlClient
  const work = yield* Work
  const payments = yield* Payments
  const sync = yield* SubscriptionSync
  const invoice = routeOf(event.type) === "invoice" ? yield* payments.invoice(event.objectId) : undefined
  const subscriptionId = invoice === undefined ? event.objectId : invoice.subscriptionId
  // An invoice that belongs to no subscription moves no service.
  if (subscriptionId === null) return yield* work.done(rowId)
  const subscription = yield* payments.subscription(subscriptionId)
  yield* sql.withTransaction(
    Effect.gen(function* () {
      const known = yield* sync.apply({ subscription, invoice })
      if (!known) yield* Effect.logDebug("A subscription without a booked order", { subscriptionId, type: event.type })
      yield* work.done(rowId)
    }),
  )
})

/** Handles one row of the queue "stripe". */
export const handle = Effect.fn("StripeEvents.handle")(function* (row: Taken) {
  const work = yield* Work
  const event = yield* decode(row.payload).pipe(Effect.mapError((cause) => new Hopeless({ reason: cause.message })))
  yield* Metric.update(Metric.withAttributes(handled, { type: event.type }), 1)
  switch (routeOf(event.type)) {
    case "checkout":
      return yield* checkoutCompleted(row.id, event)
    case "expiry":
      return yield* checkoutExpired(row.id, event)
    case "invoice":
    case "subscription":
      return yield* subscriptionChanged(row.id, event)
    case "none":
      return yield* work.done(row.id)
  }
})
