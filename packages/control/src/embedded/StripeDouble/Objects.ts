/** The embedded Stripe's objects as its API writes them, in the fields that are in use. */
import { headline, type SoldTierId, soldTiers, tiers } from "@berth/domain/Tiers"
import type { Invoice, Session, Subscription } from "./World.ts"

/** The version that the client in use speaks. */
export const apiVersion = "2026-10-28.endive"

const lookupKeyOf = (tier: SoldTierId): string => `berth_${tier}_monthly`

export const priceIdOf = (tier: SoldTierId): string => `price_berth_${tier}`

/** The tier that a price id stands for. */
export const tierOfPrice = (id: string): SoldTierId | undefined => soldTiers.find((tier) => priceIdOf(tier) === id)

export const priceJson = (tier: SoldTierId) => ({
  id: priceIdOf(tier),
  object: "price",
  active: true,
  billing_scheme: "per_unit",
  currency: "usd",
  livemode: false,
  lookup_key: lookupKeyOf(tier),
  metadata: {},
  nickname: headline(tiers[tier]),
  product: `prod_berth_${tier}`,
  recurring: { interval: "month", interval_count: 1, usage_type: "licensed", meter: null },
  type: "recurring",
  unit_amount: tiers[tier].monthlyCents,
})

export const listJson = (url: string, data: ReadonlyArray<object>) => ({ object: "list", url, has_more: false, data })

export const pricesJson = (lookupKeys: ReadonlyArray<string>) =>
  listJson("/v1/prices", soldTiers.filter((tier) => lookupKeys.includes(lookupKeyOf(tier))).map(priceJson))

export const sessionJson = (session: Session) => ({
  id: session.id,
  object: "checkout.session",
  amount_subtotal: tiers[session.tier].monthlyCents,
  amount_total: tiers[session.tier].monthlyCents,
  cancel_url: session.cancelUrl,
  client_reference_id: session.orderId,
  created: session.created,
  currency: "usd",
  customer: session.customerId,
  customer_email: session.email,
  expires_at: session.expiresAt,
  livemode: false,
  metadata: session.metadata,
  mode: "subscription",
  payment_status: session.status === "complete" ? "paid" : "unpaid",
  status: session.status,
  subscription: session.subscriptionId,
  success_url: session.successUrl,
  url: session.status === "open" ? session.url : null,
})

export const subscriptionJson = (subscription: Subscription) => ({
  id: subscription.id,
  object: "subscription",
  billing_cycle_anchor: subscription.anchor,
  cancel_at: subscription.cancelAt,
  cancel_at_period_end: subscription.cancelAt !== null && subscription.endedAt === null,
  canceled_at: subscription.endedAt,
  collection_method: "charge_automatically",
  created: subscription.anchor,
  currency: "usd",
  customer: subscription.customerId,
  ended_at: subscription.endedAt,
  items: listJson(`/v1/subscription_items?subscription=${subscription.id}`, [
    {
      id: subscription.id.replace("sub_", "si_"),
      object: "subscription_item",
      created: subscription.anchor,
      current_period_start: subscription.periodStart,
      current_period_end: subscription.periodEnd,
      metadata: {},
      price: priceJson(subscription.tier),
      quantity: 1,
      subscription: subscription.id,
    },
  ]),
  livemode: false,
  metadata: subscription.metadata,
  start_date: subscription.anchor,
  status: subscription.status,
})

export const invoiceJson = (invoice: Invoice) => {
  const cents = tiers[invoice.tier].monthlyCents
  return {
    id: invoice.id,
    object: "invoice",
    amount_due: cents,
    amount_paid: cents,
    amount_remaining: 0,
    billing_reason: invoice.periodStart === invoice.created ? "subscription_create" : "subscription_cycle",
    created: invoice.created,
    currency: "usd",
    customer: invoice.customerId,
    lines: listJson(`/v1/invoices/${invoice.id}/lines`, [
      {
        id: invoice.id.replace("in_", "il_"),
        object: "line_item",
        amount: cents,
        currency: "usd",
        description: headline(tiers[invoice.tier]),
        invoice: invoice.id,
        pricing: {
          type: "price_details",
          price_details: { price: priceIdOf(invoice.tier) },
          unit_amount_decimal: null,
        },
        period: { start: invoice.periodStart, end: invoice.periodEnd },
        quantity: 1,
      },
    ]),
    livemode: false,
    metadata: {},
    parent: {
      type: "subscription_details",
      quote_details: null,
      subscription_details: { subscription: invoice.subscriptionId, metadata: {} },
    },
    attempt_count: 1,
    hosted_invoice_url: null,
    next_payment_attempt: null,
    payments: listJson(`/v1/invoice_payments?invoice=${invoice.id}`, [
      {
        id: invoice.id.replace("in_", "inpay_"),
        object: "invoice_payment",
        amount_paid: cents,
        invoice: invoice.id,
        payment: { type: "payment_intent", payment_intent: paymentIdOf(invoice.id) },
        status: "paid",
      },
    ]),
    // As at Stripe, the invoice's own period is the one before it; the lines tell what it pays for.
    period_start: invoice.periodStart,
    period_end: invoice.periodStart,
    status: "paid",
    total: cents,
  }
}

/** The payment by which an invoice was paid. */
const paymentIdOf = (invoiceId: string): string => invoiceId.replace("in_", "pi_")

/** The payment with its charge in it, and what of it was refunded (US cents). */
export const paymentJson = (invoice: Invoice, refunded: number) => {
  const amount = tiers[invoice.tier].monthlyCents
  const id = paymentIdOf(invoice.id)
  const latest_charge = {
    id: id.replace("pi_", "ch_"),
    object: "charge",
    amount,
    amount_refunded: refunded,
    customer: invoice.customerId,
    payment_intent: id,
    refunds: listJson(
      `/v1/refunds?payment_intent=${id}`,
      refunded === 0
        ? []
        : [{ id: id.replace("pi_", "re_"), object: "refund", amount: refunded, status: "succeeded", metadata: {} }],
    ),
  }
  return {
    id,
    object: "payment_intent",
    amount,
    amount_received: amount,
    customer: invoice.customerId,
    latest_charge,
    status: "succeeded",
  }
}

export const eventJson = (id: string, type: string, object: object, created: number) => ({
  id,
  object: "event",
  api_version: apiVersion,
  created,
  data: { object },
  livemode: false,
  pending_webhooks: 1,
  request: { id: null, idempotency_key: null },
  type,
})
