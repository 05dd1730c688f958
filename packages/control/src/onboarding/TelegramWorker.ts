/**
 * Works the queue "telegram", a chat's rows in order, chats side by side. At least once: handling is safe to repeat, a
 * message may rarely be sent twice. What Telegram refuses is given up with its reason, what it does not answer is put off.
 */
import { type Taken, Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Worker from "../Worker.ts"
import { Telegram } from "./Telegram.ts"
import { TelegramTalk } from "./TelegramTalk.ts"
import { keyboardOf, TelegramWork } from "./TelegramWork.ts"

const decode = Schema.decodeUnknownEffect(TelegramWork)

const perform = Effect.fn("TelegramWorker.perform")(function* (row: TelegramWork) {
  const telegram = yield* Telegram
  switch (row._tag) {
    case "update": {
      const tap = row.update.callback_query
      if (tap !== undefined) yield* Effect.ignore(telegram.platform.answerTap(tap.id))
      return yield* (yield* TelegramTalk).handle(row.update)
    }
    case "send":
      return yield* telegram.platform.sendMessage(row.chatId, row.text, keyboardOf(row.cards))
    case "delete":
      return yield* telegram.platform.deleteMessage(row.chatId, row.messageId)
  }
})

const handle = Effect.fn("TelegramWorker.handle")(function* (taken: Taken) {
  yield* decode(taken.payload).pipe(
    Effect.flatMap(perform),
    Effect.catchTags({
      SchemaError: ({ message }) => Effect.fail(new Worker.Hopeless({ reason: message.slice(0, 500) })),
      TelegramRefused: (refused) =>
        refused.code === 429
          ? Effect.fail(refused)
          : Effect.fail(new Worker.Hopeless({ reason: `${refused.code} ${refused.description}` })),
    }),
  )
  yield* (yield* Work).done(taken.id)
})

/** One batch; whether there was any. A day of tries: somebody who wrote waits for an answer. */
export const pass = Worker.drain({ queue: "telegram", attempts: 1_500, longestWaitMillis: 60_000 })(handle)

export const layer = Worker.layer("telegram", pass, 250)
