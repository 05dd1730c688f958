/**
 * The one hot route, step by step: authenticate → check → admit → queue → forward → settle, each in a file of its name.
 * Whatever becomes of an admitted request, its passage is concluded exactly once, outside the reach of interruption.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { RequestId } from "@berth/domain/Ids"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Metric from "effect/Metric"
import { Admission, type Admitted } from "./Admission.ts"
import { Authenticate } from "./Authenticate.ts"
import type { Turn } from "./Background.ts"
import { Calibration } from "./Calibration.ts"
import { check, offered } from "./Check.ts"
import * as ClientAddress from "./ClientAddress.ts"
import { conclude, type Passage } from "./Conclude.ts"
import type { Refusal } from "./Errors.ts"
import { Forward } from "./Forward.ts"
import { Intake, type Place, requestBytes } from "./Intake.ts"
import * as Metrics from "./Metrics.ts"
import { Queue } from "./Queue.ts"
import { holdHeaders, rateHeaders } from "./RateHeaders.ts"
import { readBody } from "./ReadBody.ts"
import { refuse } from "./Refuse.ts"
import { Settings } from "./Settings.ts"
import { Settlement } from "./Settlement.ts"
import { Stops } from "./Stops.ts"

const traceIdOf = (traceparent: unknown): string =>
  (typeof traceparent === "string" ? /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1] : undefined) ?? ""

/** Builds the handler of `POST /v1/chat/completions`. */
export const make = Effect.fnUntraced(function* (nextId: () => RequestId) {
  const authenticate = yield* Authenticate
  const admission = yield* Admission
  const calibration = yield* Calibration
  const queue = yield* Queue
  const forward = yield* Forward
  const settlement = yield* Settlement
  const intake = yield* Intake
  const stops = yield* Stops
  const { bodyBytes, hangUpDrain, clientStall, trustedHops } = yield* Settings
  const stallMillis = Duration.toMillis(clientStall)

  const serve = Effect.fnUntraced(function* (
    incoming: IncomingMessage,
    response: ServerResponse,
    place: Place,
    learn: (turn: Turn) => void,
  ) {
    const requestId = nextId()
    response.setHeader("x-request-id", requestId)
    const caller = yield* authenticate.caller(incoming.headers.authorization, () =>
      ClientAddress.originOf(incoming, trustedHops),
    )
    const take = (bytes: number) => place.take(caller.customerId, bytes)
    const noRoom = take(requestBytes)
    if (noRoom !== undefined) return yield* noRoom
    const body = yield* readBody(incoming, response, { limit: bodyBytes, take })
    const checked = yield* check(body, caller.tier, (model) => calibration.of(caller.customerId, model))
    learn(checked.turn)
    const { prompt, completion, floor, shape, model, background } = checked
    yield* Effect.annotateCurrentSpan({ "berth.request_id": requestId, "gen_ai.request.model": model })
    yield* forward.ready(model)

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
      return yield* forward.call({
        model,
        response,
        shape,
        body: shape.upstream(model, admitted.completion),
        headers: {
          ...rateHeaders(admitted, yield* Clock.currentTimeMillis),
          ...holdHeaders({ ask: admitted.hold.ask, completion: admitted.completion }),
        },
        stallMillis,
        started: (call) => {
          passage.call = call
          stops.watch(call, { customerId: caller.customerId, model })
        },
      })
    })
    return yield* Effect.acquireUseRelease(
      Effect.map(admission.admit({ caller, requestId, model, background, prompt, completion, floor }), (admitted) => ({
        admitted,
        passage: begin(admitted),
      })),
      ({ admitted, passage }) => pass(admitted, passage),
      ({ passage }) => conclude({ settlement, calibration, hangUpDrain }, passage),
    )
  })

  const ended = (outcome: string) =>
    Effect.andThen(
      Metric.update(Metric.withAttributes(Metrics.requests, { outcome }), 1),
      Effect.annotateCurrentSpan("berth.outcome", outcome),
    )

  return (request: HttpServerRequest.HttpServerRequest) => {
    const incoming = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
    const response = NodeHttpServerRequest.toServerResponse(request) as ServerResponse
    const place = intake.place()
    let turn: Turn = "person"
    const learn = (one: Turn) => {
      turn = one
    }
    return serve(incoming, response, place, learn).pipe(
      Effect.tap((ending) => ended(ending === "Complete" ? "served" : "broken")),
      // The response has been written by then; of what is returned only the status is read, by whoever traces.
      Effect.map(() => HttpServerResponse.empty({ status: response.statusCode })),
      Effect.catch((refusal: Refusal) => Effect.andThen(ended(refusal._tag), refuse(refusal, turn))),
      Effect.onExit((exit) => {
        place.leave()
        return Exit.hasInterrupts(exit) ? ended("hungUp") : Effect.void
      }),
    )
  }
})
