/** Sends one mail. The Message-ID follows from the mail's id, so a mail that had to be sent twice is one to its reader. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const Mail = Schema.Struct({
  /** Of the event that it tells. */
  id: Schema.NonEmptyString,
  to: Schema.String,
  subject: Schema.String,
  text: Schema.String,
  html: Schema.String,
})
export type Mail = typeof Mail.Type

/** The server could not take it now; it may take it later. */
export class MailUndelivered extends Schema.TaggedError<MailUndelivered>()("MailUndelivered", {
  cause: Schema.Defect(),
}) {}

/** The server will never take it: the address does not exist. */
export class MailRejected extends Schema.TaggedError<MailRejected>()("MailRejected", { reason: Schema.String }) {}

/** `<id@domain>`, with whatever an address may not hold put aside. */
export const messageIdOf = (id: string, domain: string): string => `<${id.replace(/[^A-Za-z0-9._-]/g, "-")}@${domain}>`

export class Mailer extends Context.Service<
  Mailer,
  { send(mail: Mail): Effect.Effect<void, MailUndelivered | MailRejected> }
>()("@berth/control/Mailer") {}
