/** The few calls of the Telegram Bot API that OpenClaw makes. The bot token is part of the URL, so no URL is ever logged. */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

export const Update = Schema.Struct({
  update_id: Schema.Int,
  message: Schema.optionalKey(
    Schema.Struct({
      message_id: Schema.Int,
      from: Schema.optionalKey(Schema.Struct({ id: Schema.Int })),
      chat: Schema.Struct({ id: Schema.Int, type: Schema.String }),
      text: Schema.optionalKey(Schema.String),
    }),
  ),
})
export type Update = typeof Update.Type

const Answered = Schema.Struct({ ok: Schema.Boolean, result: Schema.optionalKey(Schema.Unknown) })
const Updates = Schema.Struct({ ok: Schema.Literal(true), result: Schema.Array(Update) })

/** A call failed or was answered with an error. Says which call and the HTTP status, 0 without one; never with what. */
export class TelegramFailed extends Schema.TaggedError<TelegramFailed>()("TelegramFailed", {
  method: Schema.String,
  status: Schema.Int,
}) {}

/** Longest text of one message. */
const longest = 4_096

const escapeHtml = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const pieces = (text: string): ReadonlyArray<string> =>
  text.length === 0 ? [] : [text.slice(0, longest), ...pieces(text.slice(longest))]

export const make = (client: HttpClient.HttpClient, apiRoot: string, token: Redacted.Redacted<string>) => {
  const call = <A>(method: string, body: Readonly<Record<string, unknown>>, answer: Schema.ConstraintDecoder<A>) =>
    HttpClientRequest.post(`${apiRoot}/bot${Redacted.value(token)}/${method}`).pipe(
      HttpClientRequest.bodyJsonUnsafe(body),
      client.execute,
      Effect.mapError(() => new TelegramFailed({ method, status: 0 })),
      Effect.flatMap((response) =>
        HttpClientResponse.schemaBodyJson(answer)(response).pipe(
          Effect.mapError(() => new TelegramFailed({ method, status: response.status })),
        ),
      ),
    )
  return {
    getMe: call("getMe", {}, Answered),
    deleteWebhook: call("deleteWebhook", { drop_pending_updates: false }, Answered),
    getUpdates: (offset: number, timeout: number) =>
      call("getUpdates", { offset, timeout, allowed_updates: ["message"] }, Updates).pipe(
        Effect.map(({ result }) => result),
      ),
    typing: (chat: number) => call("sendChatAction", { chat_id: chat, action: "typing" }, Answered),
    say: (chat: number, text: string) =>
      Effect.forEach(
        pieces(escapeHtml(text)),
        (piece) => call("sendMessage", { chat_id: chat, text: piece, parse_mode: "HTML" }, Answered),
        { discard: true },
      ),
  }
}
