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
import { invoiceJson, pricesJson, sessionJson, subscriptionJson, tierOfPrice } from "./Objects.ts"

const json = HttpServerResponse.jsonUnsafe

const refusal = (status: number, type: string, message: string, more: Record<string, string> = {}) =>
  json({ error: { type, message, ...more } }, { status })

const missing = (what: string, id: string) =>
  refusal(404, "invalid_request_error", `No such ${what}: '${id}'`, { code: "resource_missing", param: "id" })

const known =
  /^(?:mode|client_reference_id|customer_email|success_url|cancel_url|line_items\[0\]\[(?:price|quantity)\]|metadata\[\w+\]|subscription_data\[metadata\]\[\w+\])$/

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
      router.add("*", "/v1/*", refusal(404, "invalid_request_error", "Unrecognized request URL: not in this double.")),
    ])
  })
