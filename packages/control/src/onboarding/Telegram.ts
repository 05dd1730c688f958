/**
 * The Bot API as onboarding needs it, for Berth's own bot and, to check a pasted token, for any other. A refusal is
 * Telegram's answer and final; unavailable means that nobody answered and the call may be repeated.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

export class TelegramRefused extends Schema.TaggedError<TelegramRefused>()("TelegramRefused", {
  code: Schema.Int,
  description: Schema.String,
}) {}

/** Holds nothing of the request: tokens stand in its URL. */
export class TelegramUnavailable extends Schema.TaggedError<TelegramUnavailable>()("TelegramUnavailable", {
  method: Schema.String,
}) {}

export type TelegramError = TelegramRefused | TelegramUnavailable

const User = Schema.Struct({
  id: Schema.Int,
  first_name: Schema.String,
  username: Schema.optionalKey(Schema.String),
})
const Chat = Schema.Struct({ id: Schema.Int, type: Schema.String })

/** What onboarding reads of an update; everything else in it is left out before it is stored. */
export const Update = Schema.Struct({
  update_id: Schema.Int,
  message: Schema.optionalKey(
    Schema.Struct({ message_id: Schema.Int, from: User, chat: Chat, text: Schema.optionalKey(Schema.String) }),
  ),
  callback_query: Schema.optionalKey(
    Schema.Struct({ id: Schema.String, from: User, data: Schema.optionalKey(Schema.String) }),
  ),
})
export type Update = typeof Update.Type

export type Button = { readonly text: string; readonly send: string } | { readonly text: string; readonly url: string }

export interface Bot {
  readonly getMe: Effect.Effect<
    { readonly id: string; readonly isBot: boolean; readonly username: string },
    TelegramError
  >
  /** Where its updates go; empty if it is polled or unused. */
  readonly webhookUrl: Effect.Effect<string, TelegramError>
  setWebhook(url: string, secret: Redacted.Redacted<string>): Effect.Effect<void, TelegramError>
  readonly deleteWebhook: Effect.Effect<void, TelegramError>
  /** Plain text with a button a row. */
  sendMessage(chatId: string, text: string, buttons: ReadonlyArray<Button>): Effect.Effect<void, TelegramError>
  deleteMessage(chatId: string, messageId: number): Effect.Effect<void, TelegramError>
  /** Ends the waiting circle on a tapped button. */
  answerTap(id: string): Effect.Effect<void, TelegramError>
  /** Waits up to `timeoutSeconds` for updates from `offset` on; raw, to be decoded one by one. */
  getUpdates(offset: number, timeoutSeconds: number): Effect.Effect<ReadonlyArray<unknown>, TelegramError>
}

export class Telegram extends Context.Service<
  Telegram,
  {
    /** Berth's own bot. */
    readonly platform: Bot
    /** Another bot, by its token. */
    as(token: Redacted.Redacted<string>): Bot
  }
>()("@berth/control/Telegram") {}
