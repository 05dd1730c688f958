/**
 * Mails as rows of the outbox: offered in the transaction of the event that they tell, sent by the worker, at least once.
 * A row's id is its event's, so each is offered once; the Message-ID is the same on every try.
 */
import type { OrderId } from "@berth/domain/Ids"
import type { Desired } from "@berth/domain/Jobs"
import { type Taken, Work } from "@berth/domain/Work"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import { realTelegram, type TelegramLinks } from "../api/Site.ts"
import { Hopeless } from "../Worker.ts"
import { Mail, Mailer } from "./Mailer.ts"
import { welcomeMail } from "./WelcomeMail.ts"

/** Where links in mails lead. */
export interface Options {
  /** The pages, `PUBLIC_URL`. */
  readonly publicUrl: string
  /** Telegram, if it is not the real one. */
  readonly telegram?: Pick<TelegramLinks, "bot">
}

const decode = Schema.decodeUnknownEffect(Mail)

export class Mails extends Context.Service<
  Mails,
  {
    /** Once per order, however often its agent comes up. Joins the caller's transaction. */
    welcome(orderId: OrderId, to: string, desired: Desired): Effect.Effect<void, SqlError>
  }
>()("@berth/control/Mails") {
  static readonly layer = ({ publicUrl, telegram = realTelegram }: Options): Layer.Layer<Mails, never, Work> =>
    Layer.effect(
      Mails,
      Effect.gen(function* () {
        const work = yield* Work
        return Mails.of({
          welcome: Effect.fn("Mails.welcome")(function* (orderId, to, desired) {
            const id = `mail:welcome:${orderId}`
            const { botUsername } = desired.telegram
            const mail = welcomeMail({
              id,
              to,
              botUsername,
              tier: desired.tier,
              botUrl: telegram.bot(botUsername),
              usageUrl: `${publicUrl}/usage`,
            })
            yield* work.offer({ id, queue: "mails", lane: id, payload: mail })
          }),
        })
      }),
    )
}

/** Handles one row of the queue "mails". */
export const deliver = Effect.fn("Mails.deliver")(function* (row: Taken) {
  const work = yield* Work
  const mailer = yield* Mailer
  const mail = yield* decode(row.payload).pipe(Effect.mapError((cause) => new Hopeless({ reason: cause.message })))
  yield* mailer.send(mail).pipe(Effect.catchTag("MailRejected", ({ reason }) => Effect.fail(new Hopeless({ reason }))))
  yield* work.done(row.id)
})
