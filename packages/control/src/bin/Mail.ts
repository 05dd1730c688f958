/** Mail: a real server if `SMTP_URL` is given, else a mailbox, with its page. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Mailbox, pages as mailboxPages } from "../embedded/Mailbox.ts"
import * as MailSmtp from "../live/MailSmtp.ts"
import * as Place from "./Place.ts"

/** Mails come from `MAIL_FROM`, or from the host that customers know. */
const smtp = ({ publicUrl }: Place.Place) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const byDefault = `Berth <berth@${publicUrl.hostname}>`
      return MailSmtp.layer({
        url: yield* Config.Redacted("SMTP_URL"),
        from: yield* Config.String("MAIL_FROM").pipe(Config.withDefault(byDefault)),
      })
    }),
  )

export const layer = (place: Place.Place<"mail">) =>
  place.embedded.mail === undefined
    ? smtp(place)
    : Mailbox.mailer.pipe(Layer.provideMerge(Mailbox.layer), Layer.provide(Place.kept(place, "mail")))

export const pages = ({ embedded }: Place.Place<"mail">) => (embedded.mail === undefined ? Layer.empty : mailboxPages)
