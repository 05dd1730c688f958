/**
 * `POST /webhooks/stripe`: the raw body, bounded, its signature checked, into the inbox as it was sent in one commit, then 200.
 * What is unsigned, forged, stale, malformed, cut short or too big is refused, counted by what was wrong, and leaves nothing
 * behind. A database that is away gets 503: Stripe sends again.
 */
import { Work } from "@berth/domain/Work"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { isHandled } from "./EventTypes.ts"
import { type PaymentEvent, Payments } from "./Payments.ts"

/** Stripe's own events stay far below this. */
const maxBody = ByteSize.fromInputUnsafe("512 KiB")

/**
 * What became of each webhook. Stored: `accepted`, or `unknown` if no rule handles its type; `repeated` was stored before.
 * Refused: `unsigned`, `signature`, `stale`, `malformed`, `unreadable` (cut short), `too big`. `unstored`: no database.
 */
export const webhooks = Metric.counter("berth_stripe_webhooks", {
  description: "Stripe's webhooks by outcome",
  incremental: true,
})
const count = (outcome: string) => Metric.update(Metric.withAttributes(webhooks, { outcome }), 1)

/** Events, by the API version in which they were sent, that is not the one that Berth speaks. */
export const otherVersions = Metric.counter("berth_stripe_webhook_versions", {
  description: "Stripe's webhooks of another API version than Berth's",
  incremental: true,
})

const answer = (status: number, message: string) => HttpServerResponse.text(message, { status })

/** Events of one Stripe customer are handled in order; without one, order does not matter. */
const offerOf = (event: PaymentEvent, raw: string) => ({
  id: `stripe:${event.id}`,
  queue: "stripe" as const,
  lane: event.stripeCustomerId ?? event.id,
  payload: { ...event, raw },
})

const checkVersion = Effect.fnUntraced(function* ({ id, type, apiVersion }: PaymentEvent, wanted: string) {
  if (apiVersion === wanted) return
  const version = apiVersion ?? "none"
  yield* Metric.update(Metric.withAttributes(otherVersions, { version }), 1)
  yield* Effect.logError("Stripe sends events of another API version; npm run stripe:sync mends the webhook endpoint", {
    id,
    type,
    sent: version,
    wanted,
  })
})

const receive = Effect.gen(function* () {
  const payments = yield* Payments
  const work = yield* Work
  const request = yield* HttpServerRequest.HttpServerRequest
  const signature = request.headers["stripe-signature"]
  if (signature === undefined) {
    yield* count("unsigned")
    return answer(400, "no signature")
  }
  const body = yield* Effect.provideService(request.arrayBuffer, HttpIncomingMessage.MaxBodySize, maxBody).pipe(
    Effect.map((buffer) => new Uint8Array(buffer)),
    Effect.onInterrupt(() => count("unreadable")),
  )
  const event = yield* payments.verify(body, signature)
  yield* checkVersion(event, payments.apiVersion)
  const isNew = yield* work.offer(offerOf(event, new TextDecoder().decode(body)))
  yield* count(!isNew ? "repeated" : isHandled(event.type) ? "accepted" : "unknown")
  return answer(200, "ok")
}).pipe(
  Effect.catchTags({
    HttpServerError: ({ reason }) =>
      reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
        ? Effect.as(count("too big"), answer(413, "the body is too big"))
        : Effect.as(count("unreadable"), answer(400, "the body cannot be read")),
    WebhookRefused: ({ reason }) => Effect.as(count(reason), answer(400, `refused: ${reason}`)),
    SqlError: (cause) =>
      Effect.logError("A webhook could not be stored", cause).pipe(
        Effect.andThen(count("unstored")),
        Effect.as(answer(503, "try again")),
      ),
  }),
)

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | Payments | Work> = Layer.effectDiscard(
  Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    const context = yield* Effect.context<Payments | Work>()
    yield* router.add("POST", "/webhooks/stripe", Effect.provideContext(receive, context))
  }),
)
