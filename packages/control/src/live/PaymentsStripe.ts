/**
 * Payments over Stripe's own client. Every write carries an idempotency key or is one that may be repeated; the client itself
 * never retries, callers do. Prices are found by lookup key, so no id of an account stands in the code. Subscriptions have
 * this API version's default billing mode, flexible: what a change credits is what was billed for the period, not what the
 * price is by then, so an upgrade after a downgrade charges only what is not paid yet.
 */
import type { SoldTierId } from "@berth/domain/Tiers"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Stripe } from "stripe"
import { PaymentEvent, Payments, PaymentsUnavailable, WebhookRefused } from "../billing/Payments.ts"
import {
  chargeOf,
  checkoutOf,
  dueNowOf,
  eventOf,
  invoiceOf,
  isBerthPortal,
  lookupKeyOf,
  packLookupKeyOf,
  paymentOf,
  pricesOf,
  refundsOf,
  subscriptionOf,
  tierOf,
} from "./PaymentsStripe/States.ts"

export interface Options {
  readonly secretKey: Redacted.Redacted<string>
  /** Of the endpoint; during a rotation the old one and the new. */
  readonly webhookSecrets: ReadonlyArray<Redacted.Redacted<string>>
  /** Where the browser goes after the payment page, e.g. `https://berth.example`. */
  readonly publicUrl: string
  /** Stripe computes tax on checkouts; needs an origin and registrations set up there. */
  readonly automaticTax?: boolean
  /** Customers may enter a promotion code on the payment page. */
  readonly promotionCodes?: boolean
  /** Another server that speaks Stripe's API, over plain HTTP; Stripe itself if left out. */
  readonly server?: { readonly host: string; readonly port: number }
  /** What carries requests instead of the network. */
  readonly httpClient?: Stripe.HttpClient
}

/** A signature older than this is refused, so that a caught webhook cannot be played again later. */
const toleranceSeconds = 300

/** One page of a list; the most that Stripe gives. */
const pageSize = 100

export const make = (options: Options): Payments["Service"] => {
  const { server, publicUrl, httpClient, automaticTax = false, promotionCodes = false } = options
  const stripe = new Stripe(Redacted.value(options.secretKey), {
    maxNetworkRetries: 0,
    timeout: 20_000,
    telemetry: false,
    ...(httpClient === undefined ? {} : { httpClient }),
    ...(server === undefined ? {} : { host: server.host, port: server.port, protocol: "http" as const }),
  })
  const call = <A>(operation: string, run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (cause) => new PaymentsUnavailable({ operation, cause }) })
  const impossible = (operation: string, message: string) =>
    new PaymentsUnavailable({ operation, cause: new Error(message) })

  const priceOf = Effect.fn("Payments.priceOf")(function* (key: string) {
    const { data } = yield* call("prices.list", () =>
      stripe.prices.list({ lookup_keys: [key], active: true, limit: 1 }),
    )
    const price = data[0]
    return price === undefined
      ? yield* impossible("prices.list", `no price has the lookup key ${key}; npm run stripe:sync makes it`)
      : price.id
  })

  /** A price never becomes another tier's. */
  const tiersOfPrices = new Map<string, SoldTierId | null>()
  const invoiceState = Effect.fnUntraced(function* (invoice: Stripe.Invoice) {
    for (const id of pricesOf(invoice))
      if (!tiersOfPrices.has(id))
        tiersOfPrices.set(id, tierOf(yield* call("prices.retrieve", () => stripe.prices.retrieve(id))))
    return invoiceOf(invoice, (id) => tiersOfPrices.get(id) ?? null)
  })

  /** What stripe:sync made, in which plans can't be changed or canceled; without it the account's own is used. */
  const portalConfiguration = Effect.map(
    call("billingPortal.configurations.list", () =>
      stripe.billingPortal.configurations.list({ active: true, limit: pageSize }),
    ),
    ({ data }) => data.find(isBerthPortal)?.id,
  )

  const retrieveSubscription = (id: string) => call("subscriptions.retrieve", () => stripe.subscriptions.retrieve(id))
  const hasEnded = ({ status }: Stripe.Subscription) => status === "canceled" || status === "incomplete_expired"

  const retrievePayment = (id: string) =>
    call("paymentIntents.retrieve", () => stripe.paymentIntents.retrieve(id, { expand: ["latest_charge.refunds"] }))

  /** The change of the one item to a tier's price, as of the period's start, so that the whole difference is due. */
  const itemChange = Effect.fnUntraced(function* (subscriptionId: string, tier: SoldTierId) {
    const price = yield* priceOf(lookupKeyOf(tier))
    const item = (yield* retrieveSubscription(subscriptionId)).items.data[0]
    if (item === undefined) return yield* impossible("subscriptions.retrieve", `${subscriptionId} has no item`)
    return { items: [{ id: item.id, price }], since: item.current_period_start }
  })

  const taxed = automaticTax ? { automatic_tax: { enabled: true }, tax_id_collection: { enabled: true } } : {}
  /** A customer whom Stripe knows keeps the address that tax needs. */
  const payer = (stripeCustomerId: string) => ({
    customer: stripeCustomerId,
    ...(automaticTax ? { customer_update: { address: "auto" as const, name: "auto" as const } } : {}),
  })

  const openSession = Effect.fnUntraced(function* (
    params: Stripe.Checkout.SessionCreateParams,
    idempotencyKey: string,
  ) {
    const session = yield* call("checkout.sessions.create", () =>
      stripe.checkout.sessions.create({ ...params, ...taxed }, { idempotencyKey }),
    )
    return session.url === null
      ? yield* impossible("checkout.sessions.create", `checkout ${session.id} has no page`)
      : { id: session.id, url: session.url }
  })

  return Payments.of({
    apiVersion: Stripe.API_VERSION,

    createCheckout: Effect.fn("Payments.createCheckout")(function* (request) {
      const { orderId, accountId, tier, email, attempt, stripeCustomerId } = request
      const price = yield* priceOf(lookupKeyOf(tier))
      const metadata = { order_id: orderId, account_id: accountId }
      return yield* openSession(
        {
          mode: "subscription",
          client_reference_id: orderId,
          ...(stripeCustomerId === undefined ? { customer_email: email } : payer(stripeCustomerId)),
          line_items: [{ price, quantity: 1 }],
          metadata,
          subscription_data: { metadata },
          ...(promotionCodes ? { allow_promotion_codes: true } : {}),
          success_url: `${publicUrl}/checkout/success?order=${encodeURIComponent(orderId)}`,
          cancel_url: `${publicUrl}/checkout/canceled?order=${encodeURIComponent(orderId)}`,
        },
        `checkout:${orderId}:${attempt}`,
      )
    }),

    createPackCheckout: Effect.fn("Payments.createPackCheckout")(function* (request) {
      const { purchaseId, accountId, pack, stripeCustomerId } = request
      const price = yield* priceOf(packLookupKeyOf(pack))
      const metadata = { purchase_id: purchaseId, account_id: accountId }
      return yield* openSession(
        {
          mode: "payment",
          client_reference_id: purchaseId,
          ...payer(stripeCustomerId),
          line_items: [{ price, quantity: 1 }],
          metadata,
          payment_intent_data: { metadata },
          invoice_creation: { enabled: true },
          success_url: `${publicUrl}/billing?bought=${encodeURIComponent(purchaseId)}`,
          cancel_url: `${publicUrl}/billing`,
        },
        `pack:${purchaseId}`,
      )
    }),

    checkout: Effect.fn("Payments.checkout")(function* (id) {
      return checkoutOf(yield* call("checkout.sessions.retrieve", () => stripe.checkout.sessions.retrieve(id)))
    }),

    expireCheckout: Effect.fn("Payments.expireCheckout")(function* (id) {
      const session = yield* call("checkout.sessions.retrieve", () => stripe.checkout.sessions.retrieve(id))
      if (session.status === "open") yield* call("checkout.sessions.expire", () => stripe.checkout.sessions.expire(id))
    }),

    subscription: Effect.fn("Payments.subscription")(function* (id) {
      const state = subscriptionOf(yield* retrieveSubscription(id))
      return state ?? (yield* impossible("subscriptions.retrieve", `subscription ${id} has no item`))
    }),

    cancelSubscription: Effect.fn("Payments.cancelSubscription")(function* (id) {
      yield* Effect.gen(function* () {
        if (hasEnded(yield* retrieveSubscription(id))) return
        yield* call("subscriptions.cancel", () => stripe.subscriptions.cancel(id))
      }).pipe(Effect.catchIf(isUnknown, () => Effect.void))
    }),

    cancelAtPeriodEnd: Effect.fn("Payments.cancelAtPeriodEnd")(function* (id, cancel) {
      const current = yield* retrieveSubscription(id)
      if (hasEnded(current) || current.cancel_at_period_end === cancel) return
      yield* call("subscriptions.update", () => stripe.subscriptions.update(id, { cancel_at_period_end: cancel }))
    }),

    changePrice: Effect.fn("Payments.changePrice")(function* ({ subscriptionId, tier, when, key }) {
      const { items, since } = yield* itemChange(subscriptionId, tier)
      yield* call("subscriptions.update", () =>
        stripe.subscriptions.update(
          subscriptionId,
          when === "charge"
            ? {
                items,
                proration_behavior: "always_invoice",
                proration_date: since,
                payment_behavior: "pending_if_incomplete",
              }
            : { items, proration_behavior: "none" },
          { idempotencyKey: `price:${key}` },
        ),
      )
    }),

    previewPrice: Effect.fn("Payments.previewPrice")(function* (subscriptionId, tier) {
      const { items, since } = yield* itemChange(subscriptionId, tier)
      const preview = yield* call("invoices.createPreview", () =>
        stripe.invoices.createPreview({
          subscription: subscriptionId,
          subscription_details: { items, proration_behavior: "always_invoice", proration_date: since },
        }),
      )
      return dueNowOf(preview)
    }),

    invoice: Effect.fn("Payments.invoice")(function* (id) {
      const invoice = yield* call("invoices.retrieve", () => stripe.invoices.retrieve(id, { expand: ["payments"] }))
      return yield* invoiceState(invoice)
    }),

    invoices: Effect.fn("Payments.invoices")(function* (subscriptionId) {
      const { data } = yield* call("invoices.list", () =>
        stripe.invoices.list({ subscription: subscriptionId, limit: 24, expand: ["data.payments"] }),
      )
      return yield* Effect.forEach(data, invoiceState)
    }),

    voidInvoice: Effect.fn("Payments.voidInvoice")(function* (id) {
      const found = yield* call("invoices.retrieve", () => stripe.invoices.retrieve(id))
      // A subscription's draft can't be deleted, and only what is finalized can be void; so it is, without a charge.
      const { status } =
        found.status === "draft"
          ? yield* call("invoices.finalizeInvoice", () => stripe.invoices.finalizeInvoice(id, { auto_advance: false }))
          : found
      if (status === "open" || status === "uncollectible")
        yield* call("invoices.voidInvoice", () => stripe.invoices.voidInvoice(id))
    }),

    payment: Effect.fn("Payments.payment")(function* (id) {
      const payment = yield* retrievePayment(id)
      const { data: disputes } = yield* call("disputes.list", () =>
        stripe.disputes.list({ payment_intent: id, limit: pageSize }),
      )
      return paymentOf(payment, chargeOf(payment), disputes)
    }),

    refund: Effect.fn("Payments.refund")(function* (paymentId, cents, key) {
      // Stripe forgets idempotency keys after a day; what it gave back it does not.
      const before = refundsOf(chargeOf(yield* retrievePayment(paymentId))).find(
        ({ metadata }) => metadata?.[refundKey] === key,
      )
      if (before?.amount === cents) return
      if (before !== undefined)
        return yield* impossible(
          "refunds.create",
          `${key} of ${paymentId} gave back ${before.amount} cents, not ${cents}`,
        )
      yield* call("refunds.create", () =>
        stripe.refunds.create(
          { payment_intent: paymentId, amount: cents, metadata: { [refundKey]: key } },
          { idempotencyKey: `refund:${key}` },
        ),
      )
    }),

    portal: Effect.fn("Payments.portal")(function* (customer) {
      const own = yield* portalConfiguration
      const { url } = yield* call("billingPortal.sessions.create", () =>
        stripe.billingPortal.sessions.create({
          customer,
          return_url: `${publicUrl}/billing`,
          ...(own === undefined ? {} : { configuration: own }),
        }),
      )
      return { url }
    }),

    subscriptions: Effect.fn("Payments.subscriptions")(function* (cursor) {
      const { data, has_more } = yield* call("subscriptions.list", () =>
        stripe.subscriptions.list({
          status: "all",
          limit: pageSize,
          ...(cursor === undefined ? {} : { starting_after: cursor }),
        }),
      )
      return {
        subscriptions: data.flatMap((one) => subscriptionOf(one) ?? []),
        next: has_more ? data.at(-1)?.id : undefined,
      }
    }),

    events: Effect.fn("Payments.events")(function* (types, since, cursor) {
      const { data, has_more } = yield* call("events.list", () =>
        stripe.events.list({
          types: [...types],
          created: { gte: Math.floor(since / 1000) },
          limit: pageSize,
          ...(cursor === undefined ? {} : { starting_after: cursor }),
        }),
      )
      return { events: data.map(eventOf), next: has_more ? data.at(-1)?.id : undefined }
    }),

    verify: Effect.fn("Payments.verify")(function* (body, signature) {
      const now = yield* Clock.currentTimeMillis
      const outcomes = options.webhookSecrets.map((secret) => signedBy(stripe, secret, body, signature, now))
      // The secret that fits says more than those that don't.
      if (!outcomes.includes("signed"))
        return yield* new WebhookRefused({ reason: outcomes.includes("stale") ? "stale" : "signature" })
      const event = yield* Effect.try({
        try: (): Partial<Stripe.Event> | null => JSON.parse(new TextDecoder().decode(body)),
        catch: () => new WebhookRefused({ reason: "malformed" }),
      })
      const told = event?.data?.object === undefined ? undefined : eventOf(event as Stripe.Event)
      return isEvent(told) ? told : yield* new WebhookRefused({ reason: "malformed" })
    }),
  })
}

/** Where a refund keeps the key that it was asked for with. */
const refundKey = "berth_refund"

/** What Stripe does not know, or not any more. */
const isUnknown = ({ cause }: PaymentsUnavailable): boolean =>
  cause instanceof Stripe.errors.StripeInvalidRequestError && cause.code === "resource_missing"

/** Whether it was this secret, and lately. */
const signedBy = (
  stripe: Stripe,
  secret: Redacted.Redacted<string>,
  body: Uint8Array,
  signature: string,
  now: number,
): "signed" | "stale" | "signature" => {
  try {
    const check = stripe.webhooks.signature
    const good = check?.verifyHeader(body, signature, Redacted.value(secret), toleranceSeconds, undefined, now)
    return good === true ? "signed" : "signature"
  } catch (cause) {
    const isStale =
      cause instanceof Stripe.errors.StripeSignatureVerificationError && cause.message.includes("tolerance")
    return isStale ? "stale" : "signature"
  }
}

const isEvent = Schema.is(PaymentEvent)

export const layer = (options: Options): Layer.Layer<Payments> => Layer.sync(Payments)(() => make(options))
