/**
 * An embedded mailbox: mails are kept in a KeyValueStore instead of sent, across a kill, and shown under `/dev/mail`, newest
 * first. A mail that is sent again under its id is one mail, as a reader's program would have it by its Message-ID.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { KeyValueStore, toSchemaStore } from "effect/persistence/KeyValueStore"
import * as Schema from "effect/Schema"
import * as SynchronizedRef from "effect/SynchronizedRef"
import { Mail, Mailer } from "../notify/Mailer.ts"
import { mailboxPage } from "./Mailbox/MailboxPage.ts"

const Received = Schema.Struct({ ...Mail.fields, at: Schema.Int })
export type Received = typeof Received.Type

export class Mailbox extends Context.Service<
  Mailbox,
  {
    /** Newest first. */
    readonly mails: Effect.Effect<ReadonlyArray<Received>>
    receive(mail: Mail): Effect.Effect<void>
  }
>()("@berth/control/Mailbox") {
  static readonly layer: Layer.Layer<Mailbox, never, KeyValueStore> = Layer.effect(
    Mailbox,
    Effect.gen(function* () {
      const store = toSchemaStore(yield* KeyValueStore, Schema.Array(Received))
      const stored = yield* store.get("mailbox").pipe(Effect.orDie)
      const ref = yield* SynchronizedRef.make(Option.getOrElse(stored, (): ReadonlyArray<Received> => []))
      return Mailbox.of({
        mails: SynchronizedRef.get(ref),
        receive: Effect.fn("Mailbox.receive")(function* (mail) {
          const at = yield* Clock.currentTimeMillis
          yield* SynchronizedRef.updateEffect(ref, (mails) => {
            if (mails.some(({ id }) => id === mail.id)) return Effect.succeed(mails)
            const next = [{ ...mail, at }, ...mails]
            return Effect.as(store.set("mailbox", next).pipe(Effect.orDie), next)
          })
        }),
      })
    }),
  )

  /** Sends into the mailbox. */
  static readonly mailer: Layer.Layer<Mailer, never, Mailbox> = Layer.effect(
    Mailer,
    Effect.map(Mailbox, ({ receive }) => Mailer.of({ send: receive })),
  )
}

/** `/dev/mail` as a page, or as JSON for a client that asks for it. */
export const pages: Layer.Layer<never, never, HttpRouter.HttpRouter | Mailbox> = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const mailbox = yield* Mailbox
    yield* router.add(
      "GET",
      "/dev/mail",
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const mails = yield* mailbox.mails
        return (request.headers["accept"] ?? "").includes("application/json")
          ? HttpServerResponse.jsonUnsafe(mails)
          : HttpServerResponse.text(mailboxPage(mails), { contentType: "text/html; charset=utf-8" })
      }),
    )
  }),
)
