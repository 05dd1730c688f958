/**
 * What Berth needs of Stripe, in Berth's words: checkouts, changes, refunds, and the state of what was paid, always fetched
 * anew because webhooks come late, twice and in any order. On an unreachable Stripe nothing was charged or lost. Every write
 * names what it is for, and the same one again is the same write. Instants are epoch ms, money US cents.
 */
import type { CustomerId, OrderId } from "@berth/domain/Ids"
import type { PackId } from "@berth/domain/Packs"
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
  { reason: Schema.Literals(["signature", "stale", "malformed"]) },
  { httpApiStatus: 400 },
) {}

export interface CheckoutRequest {
  readonly orderId: OrderId
  readonly accountId: CustomerId
  readonly tier: SoldTierId
  readonly email: string
  /** Counts the checkouts of one order; the same attempt is the same checkout, however often it is asked for. */
  readonly attempt: number
  /** Stripe's customer, if the account has one already. */
  readonly stripeCustomerId?: string
}

export interface PackCheckoutRequest {
  /** Of the purchase, chosen by us: the same one is the same checkout. */
  readonly purchaseId: string
  readonly accountId: CustomerId
  readonly pack: PackId
  readonly stripeCustomerId: string
}

/** A checkout as Stripe knows it now. */
export interface CheckoutState {
  readonly id: string
  /** Where to pay; null once it is complete or expired. */
  readonly url: string | null
  readonly status: "open" | "complete" | "expired"
  /** Paid, or nothing was due. A complete checkout can still wait for its money. */
  readonly paid: boolean
  /** Of a checkout for a plan, ours or not: what its `client_reference_id` says. */
  readonly orderId: string | null
  /** Of a checkout for a pack. */
  readonly purchaseId: string | null
  readonly stripeCustomerId: string | null
  readonly subscriptionId: string | null
  /** Of a pack that is paid. */
  readonly paymentId: string | null
}

/** A subscription as Stripe knows it now. */
export interface SubscriptionState {
  readonly id: string
  readonly orderId: string | null
  readonly stripeCustomerId: string
  readonly status: string
  /** What its renewals charge for; null if its price is none of the catalogue's. */
  readonly tier: SoldTierId | null
  readonly anchor: number
  readonly periodStart: number
  readonly periodEnd: number
  /** When a cancellation takes, or took, effect. */
  readonly cancelAt: number | null
  /** Whether it has ended. */
  readonly ended: boolean
}

/** An invoice as Stripe knows it now. */
export interface InvoiceState {
  readonly id: string
  readonly stripeCustomerId: string | null
  /** Null for what is no subscription's, like a pack's. */
  readonly subscriptionId: string | null
  /** What it is for: the first period, a renewal, or a change within a period. */
  readonly reason: "create" | "cycle" | "update" | "other"
  readonly status: "draft" | "open" | "paid" | "void" | "uncollectible"
  /** The dearest tier that it charges for; null if none of the catalogue's. */
  readonly tier: SoldTierId | null
  /** What it pays for, of its latest line. */
  readonly periodStart: number
  readonly periodEnd: number
  readonly amountDue: number
  readonly amountPaid: number
  /** How often the card was tried. */
  readonly attempts: number
  readonly nextAttemptAt: number | null
  readonly createdAt: number
  /** Stripe's own page where it can be paid and printed. */
  readonly pageUrl: string | null
  /** Null as long as nothing was due or nothing was tried. */
  readonly paymentId: string | null
}

/** Of a payment, how much went back. */
export interface PaymentState {
  readonly id: string
  readonly stripeCustomerId: string | null
  readonly amount: number
  readonly refunded: number
  /** Taken back by the bank, for now or for good. */
  readonly disputed: number
}

/** What a verified webhook tells: that something happened to an object, which is then fetched. */
export const PaymentEvent = Schema.Struct({
  id: Schema.NonEmptyString,
  type: Schema.NonEmptyString,
  apiVersion: Schema.NullOr(Schema.String),
  objectId: Schema.String,
  /** Stripe's customer, if the object has one: events of one customer are handled in order. */
  stripeCustomerId: Schema.NullOr(Schema.String),
  /** Of a refund, a dispute or a charge: the payment that it is about. */
  paymentId: Schema.NullOr(Schema.String),
  createdAt: Schema.Int,
})
export type PaymentEvent = typeof PaymentEvent.Type

/** How a subscription's price is changed. */
export interface PriceChange {
  readonly subscriptionId: string
  readonly tier: SoldTierId
  /**
   * `charge`: the difference for the whole running period is charged at once, and the price changes only when it is paid.
   * `renewal`: nothing is charged or given back; renewals charge the new price.
   */
  readonly when: "charge" | "renewal"
  /** The same key is the same change. */
  readonly key: string
}

export class Payments extends Context.Service<
  Payments,
  {
    /** The API version that this port speaks; an event of another one is told, and its object fetched in this one. */
    readonly apiVersion: string
    createCheckout(
      request: CheckoutRequest,
    ): Effect.Effect<{ readonly id: string; readonly url: string }, PaymentsUnavailable>
    createPackCheckout(
      request: PackCheckoutRequest,
    ): Effect.Effect<{ readonly id: string; readonly url: string }, PaymentsUnavailable>
    checkout(id: string): Effect.Effect<CheckoutState, PaymentsUnavailable>
    /** Closes a checkout that must not be paid any more. One that is complete or closed already stays as it is. */
    expireCheckout(id: string): Effect.Effect<void, PaymentsUnavailable>
    subscription(id: string): Effect.Effect<SubscriptionState, PaymentsUnavailable>
    /** Ends it at once, without another invoice. One that has ended, or that Stripe does not know, stays as it is. */
    cancelSubscription(id: string): Effect.Effect<void, PaymentsUnavailable>
    /** Ends it with the running period, or takes that back. One that has ended stays as it is. */
    cancelAtPeriodEnd(id: string, cancel: boolean): Effect.Effect<void, PaymentsUnavailable>
    changePrice(change: PriceChange): Effect.Effect<void, PaymentsUnavailable>
    /** What `changePrice` with `charge` would charge now, tax and discounts included; US cents. */
    previewPrice(subscriptionId: string, tier: SoldTierId): Effect.Effect<number, PaymentsUnavailable>
    invoice(id: string): Effect.Effect<InvoiceState, PaymentsUnavailable>
    /** The subscription's newest 24 invoices, newest first. */
    invoices(subscriptionId: string): Effect.Effect<ReadonlyArray<InvoiceState>, PaymentsUnavailable>
    /** No more money is asked for it. One that is paid or void stays as it is. */
    voidInvoice(id: string): Effect.Effect<void, PaymentsUnavailable>
    payment(id: string): Effect.Effect<PaymentState, PaymentsUnavailable>
    /** Gives back part of a payment. The same key is the same refund. */
    refund(paymentId: string, cents: number, key: string): Effect.Effect<void, PaymentsUnavailable>
    /** A page of Stripe's where the customer changes the card, pays what is open and sees invoices. Lives for minutes. */
    portal(stripeCustomerId: string): Effect.Effect<{ readonly url: string }, PaymentsUnavailable>
    /** Every subscription of the account, whoever's; pages of 100, the next one after `cursor`. */
    subscriptions(
      cursor: string | undefined,
    ): Effect.Effect<
      { readonly subscriptions: ReadonlyArray<SubscriptionState>; readonly next: string | undefined },
      PaymentsUnavailable
    >
    /** Events of these types since `since`, newest first; a page of 100, the next one after `cursor`. Stripe keeps 30 days. */
    events(
      types: ReadonlyArray<string>,
      since: number,
      cursor: string | undefined,
    ): Effect.Effect<
      { readonly events: ReadonlyArray<PaymentEvent>; readonly next: string | undefined },
      PaymentsUnavailable
    >
    /** Checks the raw body against its signature header. */
    verify(body: Uint8Array, signature: string): Effect.Effect<PaymentEvent, WebhookRefused>
  }
>()("@berth/control/Payments") {}
