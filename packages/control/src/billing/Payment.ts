/**
 * What a checkout means for its order. Pure. Invariant: an order is paid once, and an account has one paid order; money that
 * comes beside it is never silently kept, it is refunded.
 */
import type { OrderId } from "@berth/domain/Ids"
import type { Order } from "./Orders.ts"
import type { CheckoutState, SubscriptionState } from "./Payments.ts"

/** As Stripe told it, gathered before any transaction. */
export interface PaymentFacts {
  readonly checkout: CheckoutState
  readonly subscription: SubscriptionState | undefined
}

export type PaymentDecision =
  | { readonly _tag: "Ignore"; readonly reason: "unpaid" | "unknownOrder" }
  /** This very payment is booked already. */
  | { readonly _tag: "Repeat" }
  /** A second payment for what is paid: it is refunded. */
  | { readonly _tag: "Excess"; readonly subscriptionId: string }
  | { readonly _tag: "Pay"; readonly subscription: SubscriptionState; readonly stripeCustomerId: string | null }
  /** The order's plan had ended, and its agent goes on by another subscription. */
  | { readonly _tag: "Return"; readonly subscription: SubscriptionState; readonly stripeCustomerId: string | null }

export const decide = (
  order: Order | undefined,
  otherPaid: OrderId | undefined,
  { checkout, subscription }: PaymentFacts,
  mayReturn: boolean,
): PaymentDecision => {
  if (order === undefined || order.id !== checkout.orderId) return { _tag: "Ignore", reason: "unknownOrder" }
  if (!checkout.paid || subscription === undefined) return { _tag: "Ignore", reason: "unpaid" }
  if (order.subscriptionId === subscription.id) return { _tag: "Repeat" }
  if (mayReturn) return { _tag: "Return", subscription, stripeCustomerId: checkout.stripeCustomerId }
  // A canceled order whose old page was paid all the same is honoured: the customer wants what they paid for.
  return order.status === "paid" || otherPaid !== undefined
    ? { _tag: "Excess", subscriptionId: subscription.id }
    : { _tag: "Pay", subscription, stripeCustomerId: checkout.stripeCustomerId }
}
