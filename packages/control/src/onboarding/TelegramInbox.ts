/**
 * Where Telegram's updates come in, from the webhook or a poll. An update is stored once, by its id, and handled later by
 * the worker, so that Telegram is answered at once. Text passes the secret filter before it is stored. A message that holds
 * a bot token is the exception: it is handled here and now, because nothing raw may be written; if that fails nothing is
 * kept and Telegram delivers it again.
 */
import { Work } from "@berth/domain/Work"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import { filterSecrets } from "./SecretFilter.ts"
import { Update } from "./Telegram.ts"
import { TelegramTalk } from "./TelegramTalk.ts"
import { deleteOffer, updateOffer } from "./TelegramWork.ts"

const decode = Schema.decodeUnknownOption(Update)

export class TelegramInbox extends Context.Service<
  TelegramInbox,
  {
    /** Takes a raw update; what is none, or not from a private chat, is dropped. */
    accept(raw: unknown): Effect.Effect<void, SqlError>
  }
>()("@berth/control/TelegramInbox") {
  static readonly layer: Layer.Layer<TelegramInbox, never, Work | TelegramTalk> = Layer.effect(
    TelegramInbox,
    Effect.gen(function* () {
      const work = yield* Work
      const talk = yield* TelegramTalk

      return TelegramInbox.of({
        accept: Effect.fn("TelegramInbox.accept")(function* (raw) {
          const update = Option.getOrUndefined(decode(raw))
          const from = update?.message?.from ?? update?.callback_query?.from
          if (update === undefined || from === undefined) return
          const message = update.message
          if (message !== undefined && message.chat.type !== "private") return
          const chatId = String(from.id)
          if (message?.text === undefined) return void (yield* work.offer(updateOffer(chatId, update)))
          const filtered = filterSecrets(message.text)
          if (filtered.botTokens.length > 0) {
            yield* talk.handle(update)
            return void (yield* work.offer(deleteOffer(chatId, message.message_id)))
          }
          yield* work.offer(updateOffer(chatId, { ...update, message: { ...message, text: filtered.text } }))
        }),
      })
    }),
  )
}
