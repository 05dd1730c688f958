/**
 * What the contract of Payments needs of whoever stands behind it: the deeds of customers, banks and time, which the port
 * itself can't do. Each server does them in its own way; what it can't do is left out, and those cases are skipped by name.
 */
import type { CustomerId, OrderId } from "@berth/domain/Ids"
import type { SoldTierId } from "@berth/domain/Tiers"
import type * as Effect from "effect/Effect"

export interface Subscribed {
  readonly subscriptionId: string
  readonly stripeCustomerId: string
}

export interface Subscribing {
  readonly orderId: OrderId
  readonly accountId: CustomerId
  readonly tier: SoldTierId
  readonly email: string
  /** Time will be moved on. A server may keep such customers on a clock of their own, out of its lists. */
  readonly isTimed: boolean
}

export interface Stage<R> {
  /** Pays at the checkout's page with a good card. */
  readonly pay?: (checkoutId: string) => Effect.Effect<void, never, R>
  /** A new customer with a good card, who pays for a subscription that names the order, as a checkout would make it. */
  readonly subscribe: (order: Subscribing) => Effect.Effect<Subscribed, never, R>
  /** Moves the customer's time on to `at` (epoch ms), and returns once all that falls due until then has happened. */
  readonly advance: (stripeCustomerId: string, at: number) => Effect.Effect<void, never, R>
  /** From now on the customer's card pays, or is declined. */
  readonly card: (stripeCustomerId: string, card: "good" | "declined") => Effect.Effect<void, never, R>
  /** The customer's bank takes the payment back, and Berth may answer. */
  readonly dispute?: (paymentId: string) => Effect.Effect<void, never, R>
  /** More than a page of subscriptions is made in seconds, so that paging can be tried. */
  readonly isQuick?: boolean
}
