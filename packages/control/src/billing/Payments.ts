/**
 * What Berth needs of Stripe, in Berth's words: one checkout per order and attempt, and the state of what was paid, always
 * fetched anew because webhooks come late, twice and in any order. On an unreachable Stripe nothing was charged or lost.
 */
import type { CustomerId, OrderId } from "@berth/domain/Ids"
import type { SoldTierId } from "@berth/domain/Tiers"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Stripe did not answer, or refused; nothing was charged and the same call may be made again. */
export class PaymentsUnavailable extends Schema.TaggedError<PaymentsUnavailable>()(
  "PaymentsUnavailable",
  { operation: Schema.String, cause: Schema.Defect() },
  { httpApiStatus: 503 },
) {}

/** A webhook that Stripe did not sign, or not lately. Nothing of it is kept. */
export class WebhookRefused extends Schema.TaggedError<WebhookRefused>()(
  "WebhookRefused",
  { reason: Schema.Literals(["signature", "malformed"]) },
  { httpApiStatus: 400 },
) {}

export interface CheckoutRequest {
  readonly orderId: OrderId
  readonly accountId: CustomerId
  readonly tier: SoldTierId
  readonly email: string
  /** Counts the checkouts of one order; the same attempt is the same checkout, however often it is asked for. */
  readonly attempt: number
}

/** A checkout as Stripe knows it now. */
export interface CheckoutState {
  readonly id: string
  /** Where to pay; null once it is complete or expired. */
  readonly url: string | null
  readonly status: "open" | "complete" | "expired"
  /** Paid, or nothing was due. A complete checkout can still wait for its money. */
  readonly paid: boolean
  readonly orderId: string | null
  readonly stripeCustomerId: string | null
  readonly subscriptionId: string | null
}

/** A subscription as Stripe knows it now. Instants are epoch ms. */
export interface SubscriptionState {
  readonly id: string
  readonly orderId: string | null
  readonly status: string
  readonly anchor: number
  readonly periodStart: number
  readonly periodEnd: number
  /** When a cancellation takes, or took, effect. */
  readonly cancelAt: number | null
}

/** An invoice as Stripe knows it now. */
export interface InvoiceState {
  readonly id: string
  readonly subscriptionId: string | null
  readonly paid: boolean
  /** End of the latest period that it bills, epoch ms. */
  readonly periodEnd: number
}

/** What a verified webhook tells: that something happened to an object, which is then fetched. */
export const PaymentEvent = Schema.Struct({
  id: Schema.NonEmptyString,
  type: Schema.NonEmptyString,
  apiVersion: Schema.NullOr(Schema.String),
  objectId: Schema.String,
  /** Stripe's customer, if the object has one: events of one customer are handled in order. */
  stripeCustomerId: Schema.NullOr(Schema.String),
})
export type PaymentEvent = typeof PaymentEvent.Type

export class Payments extends Context.Service<
  Payments,
  {
    /** The API version that this port speaks; an event of another one is told, and its object fetched in this one. */
    readonly apiVersion: string
    createCheckout(
      request: CheckoutRequest,
    ): Effect.Effect<{ readonly id: string; readonly url: string }, PaymentsUnavailable>
    checkout(id: string): Effect.Effect<CheckoutState, PaymentsUnavailable>
    /** Closes a checkout that must not be paid any more. One that is complete or closed already stays as it is. */
    expireCheckout(id: string): Effect.Effect<void, PaymentsUnavailable>
    subscription(id: string): Effect.Effect<SubscriptionState, PaymentsUnavailable>
    /** Ends it at once, without another invoice. One that has ended, or that Stripe does not know, stays as it is. */
    cancelSubscription(id: string): Effect.Effect<void, PaymentsUnavailable>
    invoice(id: string): Effect.Effect<InvoiceState, PaymentsUnavailable>
    /** Checks the raw body against its signature header. */
    verify(body: Uint8Array, signature: string): Effect.Effect<PaymentEvent, WebhookRefused>
  }
>()("@berth/control/Payments") {}
