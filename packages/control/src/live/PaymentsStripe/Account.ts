/** StripeAccount over Stripe's own client: what stripe:sync reads and writes. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Stripe } from "stripe"
import { type Desired, type Portal, portalMark, type Price, type Product } from "../../stripe-sync/Desired.ts"
import type { FoundEndpoint, FoundPortal, FoundPrice, FoundProduct, Step } from "../../stripe-sync/Plan.ts"
import { type Done, StripeAccount, StripeAccountFailed } from "../../stripe-sync/StripeAccount.ts"
import { idOf, isBerthPortal } from "./States.ts"

export interface Options {
  readonly secretKey: Redacted.Redacted<string>
  /** What is looked for. */
  readonly desired: Desired
  /** Another server that speaks Stripe's API, over plain HTTP; Stripe itself if left out. */
  readonly server?: { readonly host: string; readonly port: number }
}

/** The API version in which this client speaks, and in which events are wanted. */
export const apiVersion: string = Stripe.API_VERSION

type EndpointCreate = Stripe.WebhookEndpointCreateParams
type AllowedUpdate = Stripe.BillingPortal.ConfigurationCreateParams.Features.CustomerUpdate.AllowedUpdate

const productOf = ({ id, name, description, metadata, active }: Stripe.Product): FoundProduct => ({
  id,
  name,
  description: description ?? "",
  metadata,
  active,
})

const priceOf = (price: Stripe.Price): FoundPrice => ({
  id: price.id,
  lookupKey: price.lookup_key,
  productId: idOf(price.product) ?? "",
  active: price.active,
  currency: price.currency,
  cents: price.unit_amount,
  every:
    price.recurring === null
      ? "once"
      : price.recurring.interval === "month" && price.recurring.interval_count === 1
        ? "month"
        : "other",
  metadata: price.metadata,
})

const portalOf = (portal: Stripe.BillingPortal.Configuration): FoundPortal => ({
  id: portal.id,
  active: portal.active,
  returnUrl: portal.default_return_url ?? "",
  customerUpdates: portal.features.customer_update.enabled ? portal.features.customer_update.allowed_updates : [],
  invoices: portal.features.invoice_history.enabled,
  paymentMethods: portal.features.payment_method_update.enabled,
  canCancel: portal.features.subscription_cancel.enabled,
  canPause: portal.features.subscription_pause?.enabled ?? false,
  canChangePlan: portal.features.subscription_update.enabled,
})

const endpointOf = (endpoint: Stripe.WebhookEndpoint): FoundEndpoint => ({
  id: endpoint.id,
  url: endpoint.url,
  events: endpoint.enabled_events,
  apiVersion: endpoint.api_version,
  enabled: endpoint.status === "enabled",
})

const productParams = ({ name, description, metadata }: Product) => ({ name, description, metadata: { ...metadata } })

const priceParams = ({ lookupKey, productId, cents, every, metadata }: Price): Stripe.PriceCreateParams => ({
  product: productId,
  currency: "usd",
  unit_amount: cents,
  ...(every === "month" ? { recurring: { interval: "month", interval_count: 1 } } : {}),
  lookup_key: lookupKey,
  transfer_lookup_key: true,
  metadata: { ...metadata },
})

const portalParams = (portal: Portal): Stripe.BillingPortal.ConfigurationCreateParams => ({
  default_return_url: portal.returnUrl,
  metadata: { ...portalMark },
  features: {
    customer_update: { enabled: true, allowed_updates: portal.customerUpdates as Array<AllowedUpdate> },
    invoice_history: { enabled: portal.invoices },
    payment_method_update: { enabled: portal.paymentMethods },
    subscription_cancel: { enabled: portal.canCancel },
    subscription_update: { enabled: portal.canChangePlan },
  },
})

/** What went wrong, with what to do if it is the key. Stripe shows but the end of a key in its messages. */
const failureOf = (what: string, cause: unknown): StripeAccountFailed => {
  if (cause instanceof Stripe.errors.StripeAuthenticationError)
    return new StripeAccountFailed({ message: "Stripe does not know this key: check STRIPE_SECRET_KEY." })
  if (cause instanceof Stripe.errors.StripePermissionError)
    return new StripeAccountFailed({
      message: `The key may not do ${what}: STRIPE_SECRET_KEY needs write rights to products, prices, the customer portal and webhook endpoints.`,
    })
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StripeAccountFailed({
    message: `Stripe failed at ${what}: ${why}. Run this again: it goes on from there.`,
  })
}

const make = ({ desired, secretKey, server }: Options): StripeAccount["Service"] => {
  const stripe = new Stripe(Redacted.value(secretKey), {
    maxNetworkRetries: 2,
    timeout: 20_000,
    telemetry: false,
    ...(server === undefined ? {} : { host: server.host, port: server.port, protocol: "http" as const }),
  })
  const call = <A>(what: string, run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (cause) => failureOf(what, cause) })
  /** Every page of a list. */
  const all = <A>(what: string, list: () => Stripe.ApiListPromise<A>) =>
    call(what, () => list().autoPagingToArray({ limit: 10_000 }))

  const ids = desired.products.map(({ id }) => id)
  const keys = desired.prices.map(({ lookupKey }) => lookupKey)

  const prices = Effect.gen(function* () {
    const held = yield* all("prices.list", () => stripe.prices.list({ lookup_keys: keys, limit: 100 }))
    const others = yield* Effect.forEach(ids, (product) =>
      all("prices.list", () => stripe.prices.list({ product, active: true, limit: 100 })),
    )
    return [...new Map([...held, ...others.flat()].map((price) => [price.id, priceOf(price)])).values()]
  })

  const carryOut = (step: Step): Promise<{ readonly id: string; readonly secret?: string }> => {
    switch (step._tag) {
      case "CreateProduct":
        return stripe.products.create({ id: step.product.id, ...productParams(step.product) })
      case "UpdateProduct":
        return stripe.products.update(step.product.id, { active: true, ...productParams(step.product) })
      case "CreatePrice":
        return stripe.prices.create(priceParams(step.price))
      case "UpdatePrice":
        return stripe.prices.update(step.id, { active: true, metadata: { ...step.price.metadata } })
      case "DeactivatePrice":
        return stripe.prices.update(step.id, { active: false })
      case "CreatePortal":
        return stripe.billingPortal.configurations.create(portalParams(step.portal))
      case "UpdatePortal":
        return stripe.billingPortal.configurations.update(step.id, { active: true, ...portalParams(step.portal) })
      case "CreateEndpoint":
        return stripe.webhookEndpoints.create({
          url: step.endpoint.url,
          enabled_events: step.endpoint.events as EndpointCreate["enabled_events"],
          api_version: step.endpoint.apiVersion as NonNullable<EndpointCreate["api_version"]>,
          description: "Berth",
        })
      case "UpdateEndpoint":
        return stripe.webhookEndpoints.update(step.id, {
          disabled: false,
          enabled_events: step.endpoint.events as EndpointCreate["enabled_events"],
        })
      case "DisableEndpoint":
        return stripe.webhookEndpoints.update(step.id, { disabled: true })
    }
  }

  return StripeAccount.of({
    mode: /^(?:sk|rk)_live_/.test(Redacted.value(secretKey)) ? "live" : "test",
    apiVersion,
    found: Effect.gen(function* () {
      const products = yield* all("products.list", () => stripe.products.list({ ids, limit: 100 }))
      const portals = yield* all("billingPortal.configurations.list", () =>
        stripe.billingPortal.configurations.list({ limit: 100 }),
      )
      const endpoints = yield* all("webhookEndpoints.list", () => stripe.webhookEndpoints.list({ limit: 100 }))
      return {
        products: products.map(productOf),
        prices: yield* prices,
        portals: portals.filter(isBerthPortal).map(portalOf),
        endpoints: endpoints.map(endpointOf),
      }
    }),
    apply: Effect.fn("StripeAccount.apply")(function* (step) {
      const { id, secret } = yield* call(step._tag, () => carryOut(step))
      return { id, secret: secret === undefined ? undefined : Redacted.make(secret) } satisfies Done as Done
    }),
  })
}

export const layer = (options: Options): Layer.Layer<StripeAccount> => Layer.sync(StripeAccount)(() => make(options))
