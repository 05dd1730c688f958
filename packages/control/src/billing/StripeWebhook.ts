/**
 * `POST /webhooks/stripe`: the raw body, bounded, its signature checked, into the inbox in one commit, then 200. What is
 * forged, stale, malformed or too big gets 400 and leaves nothing behind. A database that is away gets 503: Stripe sends again.
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
import { type PaymentEvent, Payments } from "./Payments.ts"

/** Stripe's own events stay far below this. */
const maxBody = ByteSize.fromInputUnsafe("512 KiB")

const webhooks = Metric.counter("berth_stripe_webhooks", { description: "Webhooks by outcome", incremental: true })
const count = (outcome: string) => Metric.update(Metric.withAttributes(webhooks, { outcome }), 1)

const answer = (status: number, message: string) => HttpServerResponse.text(message, { status })

/** Events of one Stripe customer are handled in order; without one, order does not matter. */
const offerOf = (event: PaymentEvent) => ({
  id: `stripe:${event.id}`,
  queue: "stripe" as const,
  lane: event.stripeCustomerId ?? event.id,
  payload: event,
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
  const body = new Uint8Array(
    yield* Effect.provideService(request.arrayBuffer, HttpIncomingMessage.MaxBodySize, maxBody),
  )
  const event = yield* payments.verify(body, signature)
  if (event.apiVersion !== payments.apiVersion)
    yield* Effect.logError("Stripe sends events of another API version; set the webhook endpoint's version", {
      sent: event.apiVersion,
      wanted: payments.apiVersion,
    })
  yield* count((yield* work.offer(offerOf(event))) ? "accepted" : "repeated")
  return answer(200, "ok")
}).pipe(
  Effect.catchTags({
    HttpServerError: () => Effect.as(count("unreadable"), answer(400, "the body cannot be read or is too big")),
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
