/**
 * Payments over Stripe's own client. Every write carries an idempotency key, so a repeated call is the same call; the
 * client itself never retries, callers do. Prices are found by lookup key, so no id of an account stands in the code.
 */
import type { SoldTierId } from "@berth/domain/Tiers"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Stripe } from "stripe"
import { Payments, PaymentsUnavailable, type PaymentEvent, WebhookRefused } from "../billing/Payments.ts"

export interface Options {
  readonly secretKey: Redacted.Redacted<string>
  readonly webhookSecret: Redacted.Redacted<string>
  /** Where the browser goes after the payment page, e.g. `https://berth.example`. */
  readonly publicUrl: string
  /** Another server that speaks Stripe's API, over plain HTTP; Stripe itself if left out. */
  readonly server?: { readonly host: string; readonly port: number }
}

/** The lookup key of a tier's monthly price. */
export const lookupKeyOf = (tier: SoldTierId): string => `berth_${tier}_monthly`

const idOf = (reference: string | { readonly id: string } | null | undefined): string | null =>
  typeof reference === "string" ? reference : (reference?.id ?? null)

/** A signature older than this is refused, so that a caught webhook cannot be played again later. */
const toleranceSeconds = 300

const millis = (seconds: number): number => seconds * 1000

const eventOf = (event: Stripe.Event): PaymentEvent => {
  const object = event.data.object as { readonly id?: string; readonly customer?: string | { readonly id: string } }
  return {
    id: event.id,
    type: event.type,
    apiVersion: event.api_version,
    objectId: object.id ?? "",
    stripeCustomerId: idOf(object.customer),
  }
}

export const make = (options: Options): Payments["Service"] => {
  const { server, publicUrl } = options
  const stripe = new Stripe(Redacted.value(options.secretKey), {
    maxNetworkRetries: 0,
    timeout: 20_000,
    telemetry: false,
    ...(server === undefined ? {} : { host: server.host, port: server.port, protocol: "http" as const }),
  })
  const call = <A>(operation: string, run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (cause) => new PaymentsUnavailable({ operation, cause }) })

  const priceOf = Effect.fn("Payments.priceOf")(function* (tier: SoldTierId) {
    const key = lookupKeyOf(tier)
    const { data } = yield* call("prices.list", () =>
      stripe.prices.list({ lookup_keys: [key], active: true, limit: 1 }),
    )
    const price = data[0]
    if (price === undefined)
      return yield* new PaymentsUnavailable({
        operation: "prices.list",
        cause: new Error(`no price has the lookup key ${key}`),
      })
    return price.id
  })

  return Payments.of({
    apiVersion: Stripe.API_VERSION,

    createCheckout: Effect.fn("Payments.createCheckout")(function* (request) {
      const { orderId, accountId, tier, email, attempt } = request
      const price = yield* priceOf(tier)
      const metadata = { order_id: orderId, account_id: accountId }
      const session = yield* call("checkout.sessions.create", () =>
        stripe.checkout.sessions.create(
          {
            mode: "subscription",
            client_reference_id: orderId,
            customer_email: email,
            line_items: [{ price, quantity: 1 }],
            metadata,
            subscription_data: { metadata },
            success_url: `${publicUrl}/checkout/success?order=${encodeURIComponent(orderId)}`,
            cancel_url: `${publicUrl}/checkout/canceled?order=${encodeURIComponent(orderId)}`,
          },
          { idempotencyKey: `checkout:${orderId}:${attempt}` },
        ),
      )
      if (session.url === null)
        return yield* new PaymentsUnavailable({
          operation: "checkout.sessions.create",
          cause: new Error(`checkout ${session.id} has no page`),
        })
      return { id: session.id, url: session.url }
    }),

    checkout: Effect.fn("Payments.checkout")(function* (id) {
      const session = yield* call("checkout.sessions.retrieve", () => stripe.checkout.sessions.retrieve(id))
      return {
        id: session.id,
        url: session.url,
        status: session.status === "complete" ? "complete" : session.status === "expired" ? "expired" : "open",
        paid: session.payment_status === "paid" || session.payment_status === "no_payment_required",
        orderId: session.client_reference_id,
        stripeCustomerId: idOf(session.customer),
        subscriptionId: idOf(session.subscription),
      }
    }),

    expireCheckout: Effect.fn("Payments.expireCheckout")(function* (id) {
      const session = yield* call("checkout.sessions.retrieve", () => stripe.checkout.sessions.retrieve(id))
      if (session.status === "open") yield* call("checkout.sessions.expire", () => stripe.checkout.sessions.expire(id))
    }),

    subscription: Effect.fn("Payments.subscription")(function* (id) {
      const subscription = yield* call("subscriptions.retrieve", () => stripe.subscriptions.retrieve(id))
      const item = subscription.items.data[0]
      if (item === undefined)
        return yield* new PaymentsUnavailable({
          operation: "subscriptions.retrieve",
          cause: new Error(`subscription ${id} has no item`),
        })
      const end = subscription.ended_at ?? subscription.cancel_at
      return {
        id: subscription.id,
        orderId: subscription.metadata["order_id"] ?? null,
        status: subscription.status,
        anchor: millis(subscription.billing_cycle_anchor),
        periodStart: millis(item.current_period_start),
        periodEnd: millis(item.current_period_end),
        cancelAt: end === null ? null : millis(end),
      }
    }),

    cancelSubscription: Effect.fn("Payments.cancelSubscription")(function* (id) {
      const current = yield* call("subscriptions.retrieve", () => stripe.subscriptions.retrieve(id))
      if (current.status === "canceled" || current.status === "incomplete_expired") return
      yield* call("subscriptions.cancel", () => stripe.subscriptions.cancel(id))
    }),

    invoice: Effect.fn("Payments.invoice")(function* (id) {
      const invoice = yield* call("invoices.retrieve", () => stripe.invoices.retrieve(id))
      // The invoice's own period_end is that of the usage before it; what it pays for stands on its lines.
      const ends = invoice.lines.data.map((line) => line.period.end)
      return {
        id: invoice.id,
        subscriptionId: idOf(invoice.parent?.subscription_details?.subscription),
        paid: invoice.status === "paid",
        periodEnd: millis(Math.max(invoice.period_end, ...ends)),
      }
    }),

    verify: Effect.fn("Payments.verify")(function* (body, signature) {
      const now = yield* Clock.currentTimeMillis
      const secret = Redacted.value(options.webhookSecret)
      const event = yield* Effect.try({
        try: () => stripe.webhooks.constructEvent(body, signature, secret, toleranceSeconds, undefined, now),
        catch: (cause) =>
          new WebhookRefused({
            reason: cause instanceof Stripe.errors.StripeSignatureVerificationError ? "signature" : "malformed",
          }),
      })
      if (typeof event?.id !== "string" || typeof event.type !== "string" || event.data?.object === undefined)
        return yield* new WebhookRefused({ reason: "malformed" })
      return eventOf(event)
    }),
  })
}

export const layer = (options: Options): Layer.Layer<Payments> => Layer.sync(Payments)(() => make(options))
