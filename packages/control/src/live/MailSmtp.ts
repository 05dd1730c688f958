/** Mail over SMTP. A 5xx answer to the recipient or the message is final, anything else is worth another try. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { createTransport } from "nodemailer"
import { Mailer, MailRejected, MailUndelivered, messageIdOf } from "../notify/Mailer.ts"

export interface Options {
  /** `smtp://user:password@host:port` or `smtps://…`. */
  readonly url: Redacted.Redacted<string>
  /** `Berth <hello@berth.example>`; its domain also ends the Message-IDs. */
  readonly from: string
}

const domainOf = (from: string): string => /@([^\s>]+)/.exec(from)?.[1] ?? "localhost"

/** A refused sign-in or sender is ours to put right, and the mail waits for it. */
const isFinal = (cause: unknown): boolean =>
  Predicate.hasProperty(cause, "responseCode") &&
  Number(cause.responseCode) >= 500 &&
  Predicate.hasProperty(cause, "command") &&
  (cause.command === "RCPT TO" || cause.command === "DATA")

export const layer = ({ url, from }: Options): Layer.Layer<Mailer> =>
  Layer.effect(
    Mailer,
    Effect.gen(function* () {
      const transport = yield* Effect.acquireRelease(
        Effect.sync(() =>
          createTransport({ url: Redacted.value(url), connectionTimeout: 10_000, socketTimeout: 20_000 }),
        ),
        (transport) => Effect.sync(() => transport.close()),
      )
      return Mailer.of({
        send: Effect.fn("Mailer.send")(function* ({ id, to, subject, text, html }) {
          yield* Effect.tryPromise({
            try: () =>
              transport.sendMail({ from, to, subject, text, html, messageId: messageIdOf(id, domainOf(from)) }),
            catch: (cause) =>
              isFinal(cause)
                ? new MailRejected({ reason: cause instanceof Error ? cause.message : "refused" })
                : new MailUndelivered({ cause }),
          })
        }),
      })
    }),
  )
