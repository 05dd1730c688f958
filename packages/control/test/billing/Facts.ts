/** What Stripe may say of a checkout, a subscription and an invoice; a test names what matters to it. */
import type { CheckoutState, InvoiceState, SubscriptionState } from "../../src/billing/Payments.ts"

export const checkoutState = (over: Partial<CheckoutState> = {}): CheckoutState => ({
  id: "cs_1",
  url: null,
  status: "complete",
  paid: true,
  orderId: "ord_1",
  purchaseId: null,
  stripeCustomerId: "cus_1",
  subscriptionId: "sub_1",
  paymentId: null,
  ...over,
})

export const subscriptionState = (over: Partial<SubscriptionState> = {}): SubscriptionState => ({
  id: "sub_1",
  orderId: "ord_1",
  stripeCustomerId: "cus_1",
  status: "active",
  tier: "pro",
  anchor: 0,
  periodStart: 0,
  periodEnd: 100,
  cancelAt: null,
  ended: false,
  ...over,
})

export const invoiceState = (over: Partial<InvoiceState> = {}): InvoiceState => ({
  id: "in_1",
  stripeCustomerId: "cus_1",
  subscriptionId: "sub_1",
  reason: "cycle",
  status: "paid",
  tier: "pro",
  periodStart: 0,
  periodEnd: 100,
  amountDue: 4_900,
  amountPaid: 4_900,
  attempts: 1,
  nextAttemptAt: null,
  createdAt: 0,
  pageUrl: null,
  paymentId: "pi_1",
  ...over,
})
