/** The npm package `openai`, as anybody would use it against the token-proxy. It never retries here, so a refusal shows at once. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import OpenAI from "openai"

/** What the API refused, as the client shows it. */
export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", {
  status: Schema.Number,
  code: Schema.String,
  message: Schema.String,
}) {}

export interface Answer {
  readonly text: string
  readonly promptTokens: number
  readonly completionTokens: number
}

/** The client puts the status before the message; what the proxy said is in the body. */
const said = (error: InstanceType<typeof OpenAI.APIError>): string =>
  Predicate.hasProperty(error.error, "message") ? String(error.error.message) : error.message

const refusal = (error: unknown): Refusal =>
  error instanceof OpenAI.APIError
    ? new Refusal({ status: error.status ?? 0, code: error.code ?? "", message: said(error) })
    : new Refusal({ status: 0, code: "unreachable", message: error instanceof Error ? error.message : String(error) })

/** A client for one token. */
export const make = (baseURL: string, token: Redacted.Redacted<string>) => {
  const client = new OpenAI({ baseURL, apiKey: Redacted.value(token), maxRetries: 0 })
  const model = "kimi-k2.6"
  const call = (run: (signal: AbortSignal) => Promise<Answer>) => Effect.tryPromise({ try: run, catch: refusal })
  return {
    ask: (content: string) =>
      call(async (signal) => {
        const answer = await client.chat.completions.create(
          { model, messages: [{ role: "user", content }] },
          { signal },
        )
        return {
          text: answer.choices[0]?.message.content ?? "",
          promptTokens: answer.usage?.prompt_tokens ?? 0,
          completionTokens: answer.usage?.completion_tokens ?? 0,
        }
      }),
    stream: (content: string) =>
      call(async (signal) => {
        const chunks = await client.chat.completions.create(
          { model, messages: [{ role: "user", content }], stream: true, stream_options: { include_usage: true } },
          { signal },
        )
        let text = ""
        let usage = { prompt_tokens: 0, completion_tokens: 0 }
        for await (const chunk of chunks) {
          text += chunk.choices[0]?.delta.content ?? ""
          usage = chunk.usage ?? usage
        }
        return { text, promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens }
      }),
  }
}
