/** Stripe's objects in Berth's words. Pure. A price tells its tier or pack in its metadata, or by its lookup key. */
import { type PackId, soldPacks } from "@berth/domain/Packs"
import { type SoldTierId, soldTiers } from "@berth/domain/Tiers"
import type { Stripe } from "stripe"
import type {
  CheckoutState,
  InvoiceState,
  PaymentEvent,
  PaymentState,
  SubscriptionState,
} from "../../billing/Payments.ts"
import { portalMark } from "../../stripe-sync/Desired.ts"

/** The lookup key of a tier's monthly price. */
export const lookupKeyOf = (tier: SoldTierId): string => `berth_${tier}_monthly`

/** The lookup key of a pack's price. */
export const packLookupKeyOf = (pack: PackId): string => `berth_pack_${pack}`

const millis = (seconds: number): number => seconds * 1000
const millisOrNull = (seconds: number | null | undefined): number | null =>
  seconds === null || seconds === undefined ? null : millis(seconds)

export const idOf = (reference: string | { readonly id: string } | null | undefined): string | null =>
  typeof reference === "string" ? reference : (reference?.id ?? null)

export const tierOf = (price: Pick<Stripe.Price, "lookup_key" | "metadata">): SoldTierId | null =>
  soldTiers.find((tier) => price.metadata["berth_tier"] === tier || price.lookup_key === lookupKeyOf(tier)) ?? null

export const packOf = (price: Pick<Stripe.Price, "lookup_key" | "metadata">): PackId | null =>
  soldPacks.find((pack) => price.metadata["berth_pack"] === pack || price.lookup_key === packLookupKeyOf(pack)) ?? null

export const checkoutOf = (session: Stripe.Checkout.Session): CheckoutState => ({
  id: session.id,
  url: session.url,
  status: session.status === "complete" ? "complete" : session.status === "expired" ? "expired" : "open",
  paid: session.payment_status === "paid" || session.payment_status === "no_payment_required",
  orderId: session.mode === "subscription" ? session.client_reference_id : null,
  purchaseId: session.mode === "payment" ? session.client_reference_id : null,
  stripeCustomerId: idOf(session.customer),
  subscriptionId: idOf(session.subscription),
  paymentId: idOf(session.payment_intent),
})

export const subscriptionOf = (subscription: Stripe.Subscription): SubscriptionState | undefined => {
  const item = subscription.items.data[0]
  if (item === undefined) return undefined
  return {
    id: subscription.id,
    orderId: subscription.metadata["order_id"] ?? null,
    stripeCustomerId: idOf(subscription.customer) ?? "",
    status: subscription.status,
    tier: tierOf(item.price),
    anchor: millis(subscription.billing_cycle_anchor),
    periodStart: millis(item.current_period_start),
    periodEnd: millis(item.current_period_end),
    cancelAt: millisOrNull(subscription.ended_at ?? subscription.cancel_at),
    ended: subscription.ended_at !== null,
  }
}

const reasonOf = (reason: Stripe.Invoice["billing_reason"]): InvoiceState["reason"] => {
  switch (reason) {
    case "subscription_create":
      return "create"
    case "subscription_cycle":
      return "cycle"
    case "subscription_update":
      return "update"
    default:
      return "other"
  }
}

const statuses = ["draft", "open", "paid", "void", "uncollectible"] as const

const dearestFirst = soldTiers.toReversed()

/** What it charges for stands on its lines: its own `period_end` is that of the usage before it. */
export const invoiceOf = (
  invoice: Stripe.Invoice,
  tierOfPrice: (priceId: string) => SoldTierId | null,
): InvoiceState => {
  const charged = invoice.lines.data.filter(({ amount }) => amount >= 0)
  const latest = charged.toSorted((one, other) => other.period.end - one.period.end)[0]
  const tiers = charged.map(({ pricing }) => tierOfPrice(idOf(pricing?.price_details?.price) ?? ""))
  const paid = invoice.payments?.data.find(({ status }) => status === "paid") ?? invoice.payments?.data[0]
  return {
    id: invoice.id,
    stripeCustomerId: idOf(invoice.customer),
    subscriptionId: idOf(invoice.parent?.subscription_details?.subscription),
    reason: reasonOf(invoice.billing_reason),
    status: statuses.find((status) => status === invoice.status) ?? "draft",
    tier: dearestFirst.find((tier) => tiers.includes(tier)) ?? null,
    periodStart: millis(latest?.period.start ?? invoice.period_start),
    periodEnd: millis(latest?.period.end ?? invoice.period_end),
    amountDue: invoice.amount_due,
    amountPaid: invoice.amount_paid,
    attempts: invoice.attempt_count,
    nextAttemptAt: millisOrNull(invoice.next_payment_attempt),
    createdAt: millis(invoice.created),
    pageUrl: invoice.hosted_invoice_url ?? null,
    paymentId: idOf(paid?.payment.payment_intent),
  }
}

/** Whose price ids an invoice's lines name. */
export const pricesOf = (invoice: Stripe.Invoice): ReadonlyArray<string> =>
  invoice.lines.data.flatMap(({ pricing }) => idOf(pricing?.price_details?.price) ?? [])

/** What a preview of a change says is charged at once: its prorations, should the coming renewal be shown beside them. */
export const dueNowOf = (preview: Pick<Stripe.Invoice, "amount_due" | "lines">): number => {
  const lines = preview.lines.data
  const prorations = lines.filter(({ parent }) => parent?.subscription_item_details?.proration === true)
  if (prorations.length === 0 || prorations.length === lines.length) return preview.amount_due
  const total = prorations.reduce((sum, { amount, discount_amounts, taxes }) => {
    const discount = (discount_amounts ?? []).reduce((all, one) => all + one.amount, 0)
    const tax = (taxes ?? []).reduce((all, one) => all + (one.tax_behavior === "exclusive" ? one.amount : 0), 0)
    return sum + amount - discount + tax
  }, 0)
  return Math.max(0, total)
}

/** Of a payment that was tried. */
export const chargeOf = ({ latest_charge }: Stripe.PaymentIntent): Stripe.Charge | undefined =>
  typeof latest_charge === "object" ? (latest_charge ?? undefined) : undefined

/** A refund that failed or was canceled gave nothing back, whatever the charge says of it by then. */
export const refundsOf = (charge: Stripe.Charge | undefined): ReadonlyArray<Stripe.Refund> =>
  (charge?.refunds?.data ?? []).filter(({ status }) => status !== "failed" && status !== "canceled")

const refundedOf = (charge: Stripe.Charge): number =>
  charge.refunds === null || charge.refunds === undefined || charge.refunds.has_more
    ? charge.amount_refunded
    : refundsOf(charge).reduce((sum, { amount }) => sum + amount, 0)

/** Whether a portal configuration is the one that stripe:sync made. */
export const isBerthPortal = ({ metadata }: Pick<Stripe.BillingPortal.Configuration, "metadata">): boolean =>
  metadata?.["berth"] === portalMark["berth"]

/** A dispute that was won took nothing; an early warning has not taken anything yet. */
const takes = (status: Stripe.Dispute["status"]): boolean =>
  status !== "won" && status !== "prevented" && !status.startsWith("warning_")

export const paymentOf = (
  payment: Stripe.PaymentIntent,
  charge: Stripe.Charge | undefined,
  disputes: ReadonlyArray<Stripe.Dispute>,
): PaymentState => ({
  id: payment.id,
  stripeCustomerId: idOf(payment.customer),
  amount: payment.amount_received,
  refunded: charge === undefined ? 0 : refundedOf(charge),
  disputed: disputes.filter(({ status }) => takes(status)).reduce((sum, { amount }) => sum + amount, 0),
})

export const eventOf = (event: Stripe.Event): PaymentEvent => {
  const object = event.data.object as {
    readonly object?: string
    readonly id?: string
    readonly customer?: string | { readonly id: string }
    readonly payment_intent?: string | { readonly id: string }
  }
  return {
    id: event.id,
    type: event.type,
    apiVersion: event.api_version ?? null,
    objectId: object.id ?? "",
    // A customer's own events name it by their object.
    stripeCustomerId: object.object === "customer" ? (object.id ?? null) : idOf(object.customer),
    paymentId: idOf(object.payment_intent),
    createdAt: millis(event.created),
  }
}
