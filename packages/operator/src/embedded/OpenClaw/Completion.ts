/** One request to the proxy, with the headers of the OpenAI client that OpenClaw uses, and its answer read to the end. */
import { randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Answer } from "./Outcome.ts"

const ErrorBody = Schema.fromJsonString(
  Schema.Struct({
    error: Schema.Struct({
      message: Schema.String,
      code: Schema.optionalKey(Schema.NullOr(Schema.String)),
      type: Schema.optionalKey(Schema.NullOr(Schema.String)),
    }),
  }),
)

const Chunk = Schema.fromJsonString(
  Schema.Struct({
    choices: Schema.Array(
      Schema.Struct({
        delta: Schema.optionalKey(Schema.Struct({ content: Schema.optionalKey(Schema.NullOr(Schema.String)) })),
        finish_reason: Schema.optionalKey(Schema.NullOr(Schema.String)),
      }),
    ),
  }),
)

export interface Call {
  readonly url: string
  readonly token: Redacted.Redacted<string>
  readonly body: string
  /** Stays the same over the tries of one turn. */
  readonly traceId: string
  readonly tries: number
}

export const newTraceId = Effect.sync(() => randomBytes(16).toString("hex"))

const request = (call: Call) =>
  HttpClientRequest.post(call.url).pipe(
    HttpClientRequest.setHeaders({
      accept: "application/json",
      authorization: `Bearer ${Redacted.value(call.token)}`,
      traceparent: `00-${call.traceId}-${randomBytes(8).toString("hex")}-01`,
      "user-agent": "OpenAI/JS 7.15.0",
      "x-stainless-arch": "x64",
      "x-stainless-lang": "js",
      "x-stainless-os": "Linux",
      "x-stainless-package-version": "7.15.0",
      "x-stainless-retry-count": String(call.tries),
      "x-stainless-runtime": "node",
      "x-stainless-runtime-version": process.version,
    }),
    HttpClientRequest.bodyText(call.body, "application/json"),
  )

const refused = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  const { error } = Option.getOrElse(Schema.decodeUnknownOption(ErrorBody)(yield* response.text), () => ({
    error: { message: "", code: "", type: "" },
  }))
  const retryAfter = Number(response.headers["retry-after"] ?? Number.NaN)
  return {
    _tag: "Refused",
    status: response.status,
    code: error.code ?? error.type ?? "",
    message: error.message,
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
  } satisfies Answer as Answer
})

const streamed = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  let text = ""
  let finished = false
  let done = false
  yield* response.stream.pipe(
    Stream.decodeText(),
    Stream.pipeThroughChannel(Sse.decode()),
    Stream.runForEach(({ data }) =>
      Effect.sync(() => {
        if (data === "[DONE]") {
          done = true
          return
        }
        const chunk = Schema.decodeUnknownOption(Chunk)(data)
        for (const choice of Option.isSome(chunk) ? chunk.value.choices : []) {
          text += choice.delta?.content ?? ""
          finished ||= typeof choice.finish_reason === "string"
        }
      }),
    ),
  )
  const answer: Answer = finished && done ? { _tag: "Reply", text } : { _tag: "CutOff" }
  return answer
})

export const complete = Effect.fn("OpenClaw.complete")(function* (client: HttpClient.HttpClient, call: Call) {
  const response = yield* client.execute(request(call)).pipe(Effect.option)
  if (Option.isNone(response)) return { _tag: "Unreachable" } satisfies Answer as Answer
  const read: Effect.Effect<Answer, unknown> =
    response.value.status === 200 ? streamed(response.value) : refused(response.value)
  return yield* read.pipe(Effect.catch(() => Effect.succeed<Answer>({ _tag: "CutOff" })))
})
