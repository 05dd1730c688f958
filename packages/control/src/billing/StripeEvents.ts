/**
 * What Stripe's events do, and the other work that stands in Stripe's queue. An event only says what to look at: the object
 * is fetched anew outside any transaction; then its effect and the mark that the row is done are one commit. A repeated, late
 * or reordered event ends in the same state.
 */
import { CustomerId } from "@berth/domain/Ids"
import { type Taken, Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import * as AccountSync from "./AccountSync.ts"
import * as Excess from "./Excess.ts"
import * as PaidPacks from "./PaidPacks.ts"
import { type PaymentEvent, PaymentEvent as PaymentEventSchema, Payments } from "./Payments.ts"
import { Purchase } from "./Purchase.ts"
import { Hopeless } from "../Worker.ts"

const handled = Metric.counter("berth_stripe_events", { description: "Events by type", incremental: true })

/** Which rule an event calls for. */
export const routeOf = (type: string): "checkout" | "expiry" | "invoice" | "subscription" | "payment" | "none" => {
  switch (type) {
    case "checkout.session.completed":
    // A payment that took its time, or failed after all.
    case "checkout.session.async_payment_succeeded":
    case "checkout.session.async_payment_failed":
      return "checkout"
    case "checkout.session.expired":
      return "expiry"
    case "invoice.created":
    case "invoice.finalized":
    case "invoice.paid":
    case "invoice.payment_failed":
    case "invoice.payment_action_required":
    case "invoice.voided":
    case "invoice.marked_uncollectible":
      return "invoice"
    case "customer.subscription.updated":
    case "customer.subscription.deleted":
      return "subscription"
    case "charge.refunded":
    case "refund.updated":
    case "refund.failed":
    case "charge.dispute.created":
    case "charge.dispute.closed":
    case "charge.dispute.funds_withdrawn":
    case "charge.dispute.funds_reinstated":
      return "payment"
    default:
      return "none"
  }
}

/** A row that another part of billing offers, to have a customer looked at. */
export const Errand = Schema.Union([
  /** Everything of a subscription at Stripe. */
  Schema.TaggedStruct("sync", { subscriptionId: Schema.NonEmptyString }),
  /** What is known already. */
  Schema.TaggedStruct("project", { customerId: CustomerId }),
  /** A subscription that was paid beside another one. */
  Schema.TaggedStruct("excess", { customerId: CustomerId, subscriptionId: Schema.NonEmptyString }),
])
export type Errand = typeof Errand.Type

const decode = Schema.decodeUnknownEffect(Schema.Union([Errand, PaymentEventSchema]))

const planPaid = Effect.fn("StripeEvents.planPaid")(function* (rowId: string, checkoutId: string) {
  const sql = yield* SqlClient
  const work = yield* Work
  const purchase = yield* Purchase
  const events = yield* CustomerEvents
  const facts = yield* purchase.gather(checkoutId)
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

const checkoutCompleted = Effect.fn("StripeEvents.checkoutCompleted")(function* (rowId: string, event: PaymentEvent) {
  const payments = yield* Payments
  const checkout = yield* payments.checkout(event.objectId)
  return checkout.purchaseId === null
    ? yield* planPaid(rowId, event.objectId)
    : yield* PaidPacks.book(rowId, checkout.purchaseId, checkout)
})

/** The order stays open; its next checkout is another attempt. */
const checkoutExpired = Effect.fn("StripeEvents.checkoutExpired")(function* (rowId: string, event: PaymentEvent) {
  const sql = yield* SqlClient
  const work = yield* Work
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`UPDATE orders SET checkout_url = NULL WHERE checkout_id = ${event.objectId} AND status <> 'paid'`
      yield* sql`
        UPDATE packs SET status = 'expired', checkout_url = NULL
        WHERE checkout_id = ${event.objectId} AND status = 'open'`
      yield* work.done(rowId)
    }),
  )
})

const follow = Effect.fn("StripeEvents.follow")(function* (
  row: Taken,
  event: PaymentEvent,
  tag: "Invoice" | "Subscription" | "Payment",
) {
  const work = yield* Work
  const id = tag === "Payment" ? event.paymentId : event.objectId
  if (id === null) return yield* work.done(row.id)
  const owner = event.stripeCustomerId ?? (yield* ownerOf(id, tag))
  if (owner === null) return yield* work.done(row.id)
  return yield* AccountSync.ofCustomer(row.id, owner, { _tag: tag, id })
})

/** A refund or a dispute does not say whose it is; its payment does. */
const ownerOf = Effect.fnUntraced(function* (paymentId: string, tag: "Invoice" | "Subscription" | "Payment") {
  const payments = yield* Payments
  return tag === "Payment" ? (yield* payments.payment(paymentId)).stripeCustomerId : null
})

const handleEvent = Effect.fn("StripeEvents.handleEvent")(function* (row: Taken, event: PaymentEvent) {
  const work = yield* Work
  yield* Metric.update(Metric.withAttributes(handled, { type: event.type }), 1)
  switch (routeOf(event.type)) {
    case "checkout":
      return yield* checkoutCompleted(row.id, event)
    case "expiry":
      return yield* checkoutExpired(row.id, event)
    case "invoice":
      return yield* follow(row, event, "Invoice")
    case "subscription":
      return yield* follow(row, event, "Subscription")
    case "payment":
      return yield* follow(row, event, "Payment")
    case "none":
      return yield* work.done(row.id)
  }
})

/** Handles one row of the queue "stripe". */
export const handle = Effect.fn("StripeEvents.handle")(function* (row: Taken) {
  const work = yield* decode(row.payload).pipe(Effect.mapError((cause) => new Hopeless({ reason: cause.message })))
  if (!("_tag" in work)) return yield* handleEvent(row, work)
  switch (work._tag) {
    case "sync":
      return yield* AccountSync.ofSubscription(row.id, work.subscriptionId)
    case "project":
      return yield* AccountSync.again(row.id, work.customerId)
    case "excess":
      return yield* Excess.giveBack(row.id, work.customerId, work.subscriptionId)
  }
})
