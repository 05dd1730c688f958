/**
 * How updates get here: by webhook (`POST /webhooks/telegram`, its secret header compared in constant time, 200 as soon as
 * the update is stored), or by long polling where no public address is, one poller per bot.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { Telegram } from "./Telegram.ts"
import { TelegramInbox } from "./TelegramInbox.ts"

export const webhookPath = "/webhooks/telegram"

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

const empty = (status: number) => HttpServerResponse.empty({ status })

/** Telegram repeats what is not answered with 2xx, so a failure to store loses nothing. */
export const webhook = (
  secret: Redacted.Redacted<string>,
): Layer.Layer<never, never, HttpRouter.HttpRouter | TelegramInbox> =>
  HttpRouter.addAll(
    Effect.gen(function* () {
      const inbox = yield* TelegramInbox
      const handler = Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const given = request.headers["x-telegram-bot-api-secret-token"] ?? ""
        if (!timingSafeEqual(digest(given), digest(Redacted.value(secret)))) return empty(401)
        return yield* request.json.pipe(
          Effect.flatMap(inbox.accept),
          Effect.as(empty(200)),
          Effect.catchTags({
            HttpServerError: () => Effect.succeed(empty(400)),
            SqlError: (error) => Effect.as(Effect.logError("an update was not stored", error), empty(503)),
          }),
        )
      })
      return [HttpRouter.route("POST", webhookPath, handler)]
    }),
  )

/** Tells Telegram where to deliver, again and again until it hears it. */
export const register = (origin: string, secret: Redacted.Redacted<string>) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { platform } = yield* Telegram
      yield* platform.setWebhook(`${origin}${webhookPath}`, secret).pipe(
        Effect.tapError((error) => Effect.logWarning("Telegram does not take the webhook", error)),
        Effect.retry(Schedule.spaced("10 seconds")),
        Effect.ignore,
        Effect.forkScoped,
      )
    }),
  )

const secondsPerPoll = 25

/** An update counts as fetched once it is stored. */
export const polling: Layer.Layer<never, never, Telegram | TelegramInbox> = Layer.effectDiscard(
  Effect.gen(function* () {
    const { platform } = yield* Telegram
    const inbox = yield* TelegramInbox
    let offset = 0
    const poll = Effect.gen(function* () {
      for (const update of yield* platform.getUpdates(offset, secondsPerPoll)) {
        yield* inbox.accept(update)
        if (Predicate.hasProperty(update, "update_id")) offset = Number(update.update_id) + 1
      }
    })
    yield* Effect.ignore(platform.deleteWebhook).pipe(
      Effect.andThen(
        poll.pipe(
          Effect.catch((error) => Effect.andThen(Effect.logDebug("polling pauses", error), Effect.sleep("2 seconds"))),
          Effect.forever,
        ),
      ),
      Effect.forkScoped,
    )
  }),
)
