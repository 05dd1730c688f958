/**
 * Works the queue "telegram", a chat's rows in order, chats side by side. At least once: handling is safe to repeat, a
 * message may rarely be sent twice. What Telegram refuses is given up with its reason, what it does not answer is put off.
 */
import { type Taken, Work } from "@berth/domain/Work"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Telegram, type TelegramError } from "./Telegram.ts"
import { TelegramTalk } from "./TelegramTalk.ts"
import { keyboardOf, TelegramWork } from "./TelegramWork.ts"

const decode = Schema.decodeUnknownEffect(TelegramWork)
const leaseMs = 60_000
const pause = "250 millis"

export const make = Effect.gen(function* () {
  const work = yield* Work
  const telegram = yield* Telegram
  const talk = yield* TelegramTalk

  const perform = Effect.fn("TelegramWorker.perform")(function* (row: TelegramWork) {
    switch (row._tag) {
      case "update": {
        const tap = row.update.callback_query
        if (tap !== undefined) yield* Effect.ignore(telegram.platform.answerTap(tap.id))
        return yield* talk.handle(row.update)
      }
      case "send":
        return yield* telegram.platform.sendMessage(row.chatId, row.text, keyboardOf(row.cards))
      case "delete":
        return yield* telegram.platform.deleteMessage(row.chatId, row.messageId)
    }
  })

  const putOff = Effect.fn("TelegramWorker.putOff")(function* ({ attempts, id }: Taken) {
    const now = yield* Clock.currentTimeMillis
    yield* work.putOff(id, now + Math.min(60_000, 1_000 * 2 ** attempts))
  })

  const failed = (taken: Taken) => (error: TelegramError) =>
    error._tag === "TelegramRefused" && error.code !== 429
      ? work.bury(taken.id, `${error.code} ${error.description}`)
      : putOff(taken)

  const handle = Effect.fn("TelegramWorker.handle")(function* (taken: Taken) {
    yield* decode(taken.payload).pipe(
      Effect.flatMap(perform),
      Effect.andThen(work.done(taken.id)),
      Effect.catchTags({
        SchemaError: (error) => work.bury(taken.id, error.message.slice(0, 500)),
        TelegramRefused: failed(taken),
        TelegramUnavailable: failed(taken),
      }),
    )
  })

  /** One pass; how many rows it took. */
  const pass = Effect.gen(function* () {
    const taken = yield* work.take("telegram", 20, leaseMs)
    yield* Effect.forEach(
      taken,
      (one) =>
        handle(one).pipe(
          Effect.catchCause((cause) =>
            Effect.andThen(Effect.logError("a Telegram row failed", cause), Effect.ignore(putOff(one))),
          ),
        ),
      { concurrency: 20, discard: true },
    )
    return taken.length
  })
  return { pass }
})

export const layer: Layer.Layer<never, never, Work | Telegram | TelegramTalk> = Layer.effectDiscard(
  Effect.gen(function* () {
    const { pass } = yield* make
    yield* pass.pipe(
      Effect.catchTag("SqlError", (error) => Effect.as(Effect.logWarning("the queue can't be read", error), 0)),
      Effect.flatMap((count) => (count === 0 ? Effect.sleep(pause) : Effect.void)),
      Effect.forever,
      Effect.forkScoped,
    )
  }),
)
