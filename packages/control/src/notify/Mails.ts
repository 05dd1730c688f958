/**
 * Mails as rows of the outbox: offered in the transaction of the event that they tell, sent by the worker, at least once.
 * A row's id is its event's, so each is offered once; the Message-ID is the same on every try.
 */
import type { AgentTrouble } from "@berth/domain/AgentEvents"
import { CustomerId, type OrderId } from "@berth/domain/Ids"
import type { Desired } from "@berth/domain/Jobs"
import { type Taken, Work } from "@berth/domain/Work"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import { realTelegram, type TelegramLinks } from "../api/Site.ts"
import { type Alert, sourceIdOf } from "../billing/UsageAlert.ts"
import { Hopeless } from "../Worker.ts"
import { ExportLinks } from "../exports/ExportLinks.ts"
import { expiryOf } from "../exports/Exports.ts"
import { alertMail } from "./AlertMail.ts"
import { exportMail } from "./ExportMail.ts"
import { Mail, Mailer } from "./Mailer.ts"
import { troubleMail } from "./TroubleMail.ts"
import { welcomeMail } from "./WelcomeMail.ts"

/** Where links in mails lead. */
export interface Options {
  /** The pages, `PUBLIC_URL`. */
  readonly publicUrl: string
  /** Telegram, if it is not the real one. */
  readonly telegram?: Pick<TelegramLinks, "bot">
}

/** Written as a mail only when it is sent: the link in it is a secret and stands in no row. */
const ExportRow = Schema.TaggedStruct("export", {
  id: Schema.NonEmptyString,
  to: Schema.String,
  botUsername: Schema.String,
  customerId: CustomerId,
  generation: Schema.Int,
  size: Schema.Int,
  expiresAt: Schema.Int,
})

const decode = Schema.decodeUnknownEffect(Schema.Union([ExportRow, Mail]))

/** What was exported, of which deletion, when (epoch ms). */
export interface ExportedData {
  readonly customerId: CustomerId
  readonly generation: number
  readonly size: number
  readonly at: number
}

export class Mails extends Context.Service<
  Mails,
  {
    /** Once per order, however often its agent comes up. Joins the caller's transaction. */
    welcome(orderId: OrderId, to: string, desired: Desired): Effect.Effect<void, SqlError>
    /** Once per alert; `resetsAt` is the period's end, epoch ms. Joins the caller's transaction. */
    alert(customerId: CustomerId, to: string, alert: Alert, resetsAt: number): Effect.Effect<void, SqlError>
    /** At most once a day for each trouble, however often it comes and goes. Joins the caller's transaction. */
    trouble(orderId: OrderId, to: string, desired: Desired, trouble: AgentTrouble): Effect.Effect<void, SqlError>
    /** Once per export. Joins the caller's transaction. */
    exported(to: string, desired: Desired, data: ExportedData): Effect.Effect<void, SqlError>
  }
>()("@berth/control/Mails") {
  static readonly layer = ({ publicUrl, telegram = realTelegram }: Options): Layer.Layer<Mails, never, Work> =>
    Layer.effect(
      Mails,
      Effect.gen(function* () {
        const work = yield* Work
        const usageUrl = `${publicUrl}/usage`
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
              usageUrl,
            })
            yield* work.offer({ id, queue: "mails", lane: id, payload: mail })
          }),
          alert: Effect.fn("Mails.alert")(function* (customerId, to, alert, resetsAt) {
            const id = `mail:${sourceIdOf(customerId, alert)}`
            const mail = alertMail({ ...alert, id, to, resetsAt, usageUrl })
            yield* work.offer({ id, queue: "mails", lane: id, payload: mail })
          }),
          exported: Effect.fn("Mails.exported")(function* (
            to,
            { telegram: bot },
            { customerId, generation, size, at },
          ) {
            const id = `mail:export:${customerId}:${generation}`
            const { botUsername } = bot
            const row = {
              _tag: "export" as const,
              id,
              to,
              botUsername,
              customerId,
              generation,
              size,
              expiresAt: expiryOf(at),
            }
            yield* work.offer({ id, queue: "mails", lane: id, payload: row satisfies typeof ExportRow.Encoded })
          }),
          trouble: Effect.fn("Mails.trouble")(function* (orderId, to, { telegram: bot }, { reason, message }) {
            const day = Math.floor((yield* Clock.currentTimeMillis) / 86_400_000)
            const id = `mail:trouble:${orderId}:${reason}:${day}`
            const mail = troubleMail({ id, to, botUsername: bot.botUsername, message, agentUrl: usageUrl })
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
  const links = yield* ExportLinks
  const told = yield* decode(row.payload).pipe(Effect.mapError((cause) => new Hopeless({ reason: cause.message })))
  const mail = "_tag" in told ? exportMail({ ...told, url: links.urlOf(told) }) : told
  yield* mailer.send(mail).pipe(Effect.catchTag("MailRejected", ({ reason }) => Effect.fail(new Hopeless({ reason }))))
  yield* work.done(row.id)
})
