/**
 * Effect's LanguageModel over the token-proxy's chat completions, without streaming: Berth's own use of Kimi is metered
 * like a customer's. Any answer that is not a completion fails with an AiError; nothing is retried here.
 */
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

export interface Options {
  /** Of the proxy, up to and with `/v1`. */
  readonly url: string
  readonly token: Redacted.Redacted<string>
}

const model = "kimi-k2.6"
const maxCompletionTokens = 400

const Completion = Schema.Struct({
  choices: Schema.NonEmptyArray(
    Schema.Struct({
      finish_reason: Schema.NullOr(Schema.String),
      message: Schema.Struct({
        content: Schema.optionalKey(Schema.NullOr(Schema.String)),
        tool_calls: Schema.optionalKey(
          Schema.NullOr(
            Schema.Array(
              Schema.Struct({
                id: Schema.String,
                function: Schema.Struct({ name: Schema.String, arguments: Schema.fromJsonString(Schema.Unknown) }),
              }),
            ),
          ),
        ),
      }),
    }),
  ),
  usage: Schema.optionalKey(Schema.Struct({ prompt_tokens: Schema.Int, completion_tokens: Schema.Int })),
})

const wordsOf = (message: Prompt.Message): string =>
  typeof message.content === "string"
    ? message.content
    : message.content.map((part) => (part.type === "text" ? part.text : "")).join("")

const bodyOf = ({ prompt, toolChoice, tools }: LanguageModel.ProviderOptions) => ({
  model,
  max_completion_tokens: maxCompletionTokens,
  thinking: { type: "disabled" },
  messages: prompt.content.map((message) => ({ role: message.role, content: wordsOf(message) })),
  ...(tools.length === 0 || toolChoice === "none"
    ? {}
    : {
        tool_choice: "auto",
        tools: tools.map((tool) => ({
          type: "function",
          function: {
            name: tool.name,
            description: Tool.getDescription(tool),
            parameters: Tool.getJsonSchema(tool),
          },
        })),
      }),
})

const partsOf = ({ choices: [choice], usage }: typeof Completion.Type): Array<Response.PartEncoded> => [
  ...(choice.message.content ? [{ type: "text" as const, text: choice.message.content }] : []),
  ...(choice.message.tool_calls ?? []).map((call) => ({
    type: "tool-call" as const,
    id: call.id,
    name: call.function.name,
    params: call.function.arguments,
  })),
  {
    type: "finish",
    reason:
      choice.finish_reason === "tool_calls" ? "tool-calls" : choice.finish_reason === "length" ? "length" : "stop",
    usage: {
      inputTokens: { total: usage?.prompt_tokens },
      outputTokens: { total: usage?.completion_tokens },
    },
  },
]

const failure = (method: string, description: string) =>
  AiError.make({ module: "KimiLanguageModel", method, reason: new AiError.UnknownError({ description }) })

export const layer = (options: Options): Layer.Layer<LanguageModel.LanguageModel, never, HttpClient.HttpClient> =>
  Layer.effect(
    LanguageModel.LanguageModel,
    Effect.gen(function* () {
      const http = yield* HttpClient.HttpClient
      return yield* LanguageModel.make({
        generateText: (ask) =>
          http
            .execute(
              HttpClientRequest.post(`${options.url}/chat/completions`).pipe(
                HttpClientRequest.bearerToken(options.token),
                HttpClientRequest.bodyJsonUnsafe(bodyOf(ask)),
              ),
            )
            .pipe(
              Effect.flatMap(HttpClientResponse.filterStatusOk),
              Effect.flatMap(HttpClientResponse.schemaBodyJson(Completion)),
              Effect.map(partsOf),
              // Neither the request, which holds the token, nor what the model said.
              Effect.mapError((error) =>
                failure("generateText", error._tag === "HttpClientError" ? error.message : "not a completion"),
              ),
            ),
        streamText: () => Stream.fail(failure("streamText", "this provider does not stream")),
      })
    }),
  )
