/**
 * The parts of Stripe's HTTP API that are in use, as routes: what the npm client `stripe` sends is answered as Stripe does,
 * and a parameter that this double does not know is refused instead of ignored.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as UrlParams from "effect/http/UrlParams"
import type { StripeDouble } from "../StripeDouble.ts"
import {
  invoiceJson,
  listJson,
  paymentJson,
  priceJson,
  pricesJson,
  sessionJson,
  subscriptionJson,
  tierOfPrice,
} from "./Objects.ts"

const json = HttpServerResponse.jsonUnsafe

const refusal = (status: number, type: string, message: string, more: Record<string, string> = {}) =>
  json({ error: { type, message, ...more } }, { status })

const missing = (what: string, id: string) =>
  refusal(404, "invalid_request_error", `No such ${what}: '${id}'`, { code: "resource_missing", param: "id" })

const known =
  /^(?:mode|client_reference_id|customer|customer_email|success_url|cancel_url|line_items\[0\]\[(?:price|quantity)\]|metadata\[\w+\]|subscription_data\[metadata\]\[\w+\])$/

const digest = (text: string) => createHash("sha256").update(text).digest()

/** What `name[key]=value` parameters say, by key. */
const mapOf = (params: URLSearchParams, name: string): Record<string, string> =>
  Object.fromEntries(
    [...params].flatMap(([key, value]) =>
      key.startsWith(`${name}[`) && !key.slice(name.length + 1, -1).includes("[")
        ? [[key.slice(name.length + 1, -1), value]]
        : [],
    ),
  )

const sessionDraft = (params: URLSearchParams) => {
  const tier = tierOfPrice(params.get("line_items[0][price]") ?? "")
  const successUrl = params.get("success_url")
  if (tier === undefined || successUrl === null || params.get("mode") !== "subscription") return undefined
  return {
    tier,
    orderId: params.get("client_reference_id"),
    customerId: params.get("customer"),
    email: params.get("customer_email"),
    metadata: mapOf(params, "metadata"),
    subscriptionMetadata: mapOf(params, "subscription_data[metadata]"),
    successUrl,
    cancelUrl: params.get("cancel_url") ?? successUrl,
  }
}

type Double = StripeDouble["Service"]

const createSession = (double: Double) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const body = UrlParams.toString(yield* request.urlParamsBody)
    const params = new URLSearchParams(body)
    const unknown = [...params.keys()].find((key) => !known.test(key))
    if (unknown !== undefined)
      return refusal(400, "invalid_request_error", `Received unknown parameter: ${unknown}`, { param: unknown })
    const draft = sessionDraft(params)
    if (draft === undefined)
      return refusal(400, "invalid_request_error", "A subscription checkout needs a price and a success_url.")
    const made = yield* double.createCheckout(draft, request.headers["idempotency-key"], body)
    return made === "conflict"
      ? refusal(400, "idempotency_error", "Keys for idempotent requests can only be used with the same parameters.")
      : json(sessionJson(made))
  })

const priceById = (id: string) => {
  const tier = tierOfPrice(id)
  return tier === undefined ? undefined : priceJson(tier)
}

/** A subscription's invoices, newest first. */
const invoicesOf = (double: Double) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const subscription = new URL(request.url, "http://stripe").searchParams.get("subscription")
    const { invoices } = yield* double.world
    const own = Object.values(invoices).filter(({ subscriptionId }) => subscriptionId === subscription)
    return json(listJson("/v1/invoices", own.toReversed().map(invoiceJson)))
  })

const refundPayment = (double: Double) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const params = new URLSearchParams(UrlParams.toString(yield* request.urlParamsBody))
    const id = params.get("payment_intent") ?? ""
    const { invoices, refunds } = yield* double.world
    const invoice = invoices[id.replace("pi_", "in_")]
    if (invoice === undefined) return missing("payment_intent", id)
    const left = paymentJson(invoice, 0).amount - (refunds?.[invoice.id] ?? 0)
    const amount = Number(params.get("amount") ?? left)
    if (amount > left)
      return refusal(400, "invalid_request_error", "Refund amount is greater than unrefunded amount on charge.")
    yield* double.refund(invoice.id, amount)
    return json({ id: id.replace("pi_", "re_"), object: "refund", amount, payment_intent: id, status: "succeeded" })
  })

export const routes = (double: Double, secretKey: Redacted.Redacted<string>) =>
  HttpRouter.use((router) => {
    const signedIn = <E, R>(handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const bearer = request.headers["authorization"] ?? ""
        return timingSafeEqual(digest(bearer), digest(`Bearer ${Redacted.value(secretKey)}`))
          ? yield* handler
          : refusal(401, "invalid_request_error", "Invalid API Key provided.")
      })
    const byId = (what: string, find: (id: string) => Effect.Effect<object | undefined>) =>
      signedIn(
        Effect.gen(function* () {
          const id = (yield* HttpRouter.params)["id"] ?? ""
          const found = yield* find(id)
          return found === undefined ? missing(what, id) : json(found)
        }),
      )
    const session = (look: Double["checkout"]) => (id: string) =>
      Effect.map(look(id), (found) => (Option.isSome(found) ? sessionJson(found.value) : undefined))
    const prices = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { searchParams } = new URL(request.url, "http://stripe")
      return json(pricesJson([...searchParams].flatMap(([key, value]) => (key.startsWith("lookup_keys") ? value : []))))
    })
    return Effect.all([
      router.add("GET", "/v1/prices", signedIn(prices)),
      router.add("POST", "/v1/checkout/sessions", signedIn(createSession(double))),
      router.add("GET", "/v1/checkout/sessions/:id", byId("checkout.session", session(double.checkout))),
      router.add("POST", "/v1/checkout/sessions/:id/expire", byId("checkout.session", session(double.expireCheckout))),
      router.add(
        "GET",
        "/v1/subscriptions/:id",
        byId("subscription", (id) =>
          Effect.map(double.world, ({ subscriptions }) => subscriptions[id] && subscriptionJson(subscriptions[id])),
        ),
      ),
      router.add(
        "DELETE",
        "/v1/subscriptions/:id",
        byId("subscription", (id) =>
          Effect.andThen(
            double.cancel(id, "now"),
            Effect.map(double.world, ({ subscriptions }) => subscriptions[id] && subscriptionJson(subscriptions[id])),
          ),
        ),
      ),
      router.add(
        "GET",
        "/v1/invoices/:id",
        byId("invoice", (id) => Effect.map(double.world, ({ invoices }) => invoices[id] && invoiceJson(invoices[id]))),
      ),
      router.add(
        "GET",
        "/v1/prices/:id",
        byId("price", (id) => Effect.succeed(priceById(id))),
      ),
      router.add("GET", "/v1/invoices", signedIn(invoicesOf(double))),
      router.add(
        "GET",
        "/v1/payment_intents/:id",
        byId("payment_intent", (id) =>
          Effect.map(double.world, ({ invoices, refunds }) => {
            const invoice = invoices[id.replace("pi_", "in_")]
            return invoice && paymentJson(invoice, refunds?.[invoice.id] ?? 0)
          }),
        ),
      ),
      router.add("GET", "/v1/disputes", signedIn(Effect.succeed(json(listJson("/v1/disputes", []))))),
      router.add("POST", "/v1/refunds", signedIn(refundPayment(double))),
      router.add("*", "/v1/*", refusal(404, "invalid_request_error", "Unrecognized request URL: not in this double.")),
    ])
  })
