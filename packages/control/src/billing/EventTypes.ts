/**
 * The types of Stripe's events that Berth handles: what the webhook endpoint subscribes to, what the catch-up asks for, and
 * what StripeEvents has a rule for. An event of another type is stored, counted and marked done.
 */
export const eventTypes = [
  "checkout.session.completed",
  "checkout.session.async_payment_succeeded",
  "checkout.session.async_payment_failed",
  "checkout.session.expired",
  "invoice.created",
  "invoice.finalized",
  "invoice.paid",
  "invoice.payment_failed",
  "invoice.payment_action_required",
  "invoice.voided",
  "invoice.marked_uncollectible",
  "customer.subscription.updated",
  "customer.subscription.deleted",
  "charge.refunded",
  "refund.updated",
  "refund.failed",
  "charge.dispute.created",
  "charge.dispute.closed",
  "charge.dispute.funds_withdrawn",
  "charge.dispute.funds_reinstated",
] as const

/** A type of event that Berth handles. */
export type EventType = (typeof eventTypes)[number]

export const isHandled = (type: string): type is EventType => eventTypes.some((known) => known === type)
