/**
 * The one hot route, step by step: authenticate → check → admit → queue → forward → settle, each in a file of its name.
 * Whatever becomes of an admitted request, its passage is concluded exactly once, outside the reach of interruption.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { RequestId } from "@berth/domain/Ids"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Metric from "effect/Metric"
import { Admission, type Admitted } from "./Admission.ts"
import { Authenticate } from "./Authenticate.ts"
import { check, offered, readBody } from "./Check.ts"
import { conclude, type Passage } from "./Conclude.ts"
import { answerOf, bodyOf, type Refusal } from "./Errors.ts"
import { forward } from "./Forward.ts"
import { Kimi } from "./Kimi.ts"
import * as Metrics from "./Metrics.ts"
import { Queue } from "./Queue.ts"
import { Settings } from "./Settings.ts"
import { Settlement } from "./Settlement.ts"

/** The answer to a refused request. */
export const refuse = (refusal: Refusal): HttpServerResponse.HttpServerResponse => {
  const answer = answerOf(refusal)
  return HttpServerResponse.text(bodyOf(answer), {
    status: answer.status,
    contentType: "application/json",
    headers: {
      ...(answer.retryAfter === undefined ? {} : { "retry-after": String(answer.retryAfter) }),
      ...(refusal._tag === "UsageLimitReached" ? rateHeaders(refusal.limit, 0) : {}),
    },
  })
}

export const rateHeaders = (limit: number, remaining: number) => ({
  "x-ratelimit-limit-tokens": String(limit),
  "x-ratelimit-remaining-tokens": String(Math.max(0, remaining)),
})

const traceIdOf = (traceparent: unknown): string =>
  (typeof traceparent === "string" ? /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1] : undefined) ?? ""

/** Builds the handler of `POST /v1/chat/completions`. */
export const make = Effect.fnUntraced(function* (nextId: () => RequestId) {
  const authenticate = yield* Authenticate
  const admission = yield* Admission
  const queue = yield* Queue
  const kimi = yield* Kimi
  const settlement = yield* Settlement
  const { bodyBytes, hangUpDrain, clientStall } = yield* Settings
  const stallMillis = Duration.toMillis(clientStall)

  const serve = Effect.fnUntraced(function* (incoming: IncomingMessage, response: ServerResponse) {
    const requestId = nextId()
    response.setHeader("x-request-id", requestId)
    const caller = yield* authenticate.caller(incoming.headers.authorization)
    const body = yield* readBody(incoming, response, bodyBytes)
    const checked = yield* check(body, caller.tier)
    const { prompt, completion, floor, shape, model } = checked

    const begin = ({ hold, completion }: Admitted): Passage => ({
      hold,
      checked,
      completion,
      traceId: traceIdOf(incoming.headers["traceparent"]),
      slot: undefined,
      call: undefined,
    })
    const pass = Effect.fnUntraced(function* (admitted: Admitted, passage: Passage) {
      if (admitted.tier !== caller.tier) {
        authenticate.learn(caller, admitted.tier)
        yield* offered(admitted.tier, model)
      }
      yield* queue.take(caller.customerId, (release) => {
        passage.slot = release
      })
      return yield* forward(kimi, {
        response,
        shape,
        body: shape.upstream(model, admitted.completion),
        headers: rateHeaders(admitted.limit, admitted.remaining),
        stallMillis,
        started: (call) => {
          passage.call = call
        },
      })
    })
    return yield* Effect.acquireUseRelease(
      Effect.map(admission.admit({ caller, requestId, prompt, completion, floor }), (admitted) => ({
        admitted,
        passage: begin(admitted),
      })),
      ({ admitted, passage }) => pass(admitted, passage),
      ({ passage }) => conclude(settlement, hangUpDrain, passage),
    )
  })

  const count = (outcome: string) => Metric.update(Metric.withAttributes(Metrics.requests, { outcome }), 1)

  return (request: HttpServerRequest.HttpServerRequest) => {
    const incoming = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
    const response = NodeHttpServerRequest.toServerResponse(request) as ServerResponse
    return serve(incoming, response).pipe(
      Effect.tap((ending) => count(ending === "Complete" ? "served" : "broken")),
      // The response has been written by then; what is returned is ignored.
      Effect.as(HttpServerResponse.empty()),
      Effect.catch((refusal: Refusal) => Effect.as(count(refusal._tag), refuse(refusal))),
      Effect.onExit((exit) => (Exit.hasInterrupts(exit) ? count("hungUp") : Effect.void)),
    )
  }
})
