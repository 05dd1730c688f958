/**
 * Telegram by grammY's client, with its auto-retry for 429. `apiRoot` may be another server than Telegram's own. Errors
 * leave without the request, because the token stands in its URL.
 */
import { autoRetry } from "@grammyjs/auto-retry"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Api, GrammyError } from "grammy"
import { type Bot, type Button, Telegram, TelegramRefused, TelegramUnavailable } from "../onboarding/Telegram.ts"

export interface Options {
  /** Of Berth's own bot. */
  readonly token: Redacted.Redacted<string>
  readonly apiRoot: string
}

const keyboard = (buttons: ReadonlyArray<Button>) =>
  buttons.length === 0
    ? {}
    : {
        reply_markup: {
          inline_keyboard: buttons.map((button) => [
            "url" in button
              ? { text: button.text, url: button.url }
              : { text: button.text, callback_data: button.send },
          ]),
        },
      }

const botOf = (token: Redacted.Redacted<string>, apiRoot: string): Bot => {
  const api = new Api(Redacted.value(token), { apiRoot, sensitiveLogs: false, timeoutSeconds: 60 })
  api.config.use(autoRetry({ maxRetryAttempts: 2, maxDelaySeconds: 10, rethrowHttpErrors: true }))
  const call = <A>(method: string, run: (signal: AbortSignal) => Promise<A>, seconds = 10) =>
    Effect.tryPromise({
      try: run,
      catch: (error) =>
        error instanceof GrammyError
          ? new TelegramRefused({ code: error.error_code, description: error.description })
          : new TelegramUnavailable({ method }),
    }).pipe(
      Effect.timeoutOrElse({
        duration: `${seconds} seconds`,
        orElse: () => Effect.fail(new TelegramUnavailable({ method })),
      }),
      Effect.withSpan(`Telegram.${method}`),
    )
  // grammY's own AbortSignal type is narrower than Node's, which it accepts all the same.
  const until = (signal: AbortSignal) => signal as never
  return {
    getMe: call("getMe", (signal) => api.getMe(until(signal))).pipe(
      Effect.map((me) => ({ id: String(me.id), isBot: me.is_bot, username: me.username })),
    ),
    webhookUrl: call("getWebhookInfo", (signal) => api.getWebhookInfo(until(signal))).pipe(
      Effect.map((info) => info.url ?? ""),
    ),
    setWebhook: (url, secret) =>
      call("setWebhook", (signal) =>
        api.setWebhook(
          url,
          { secret_token: Redacted.value(secret), allowed_updates: ["message", "callback_query"] },
          until(signal),
        ),
      ),
    deleteWebhook: call("deleteWebhook", (signal) => api.deleteWebhook({}, until(signal))),
    sendMessage: (chatId, text, buttons) =>
      call("sendMessage", (signal) => api.sendMessage(chatId, text, keyboard(buttons), until(signal)), 30),
    deleteMessage: (chatId, messageId) =>
      call("deleteMessage", (signal) => api.deleteMessage(chatId, messageId, until(signal))),
    answerTap: (id) => call("answerCallbackQuery", (signal) => api.answerCallbackQuery(id, {}, until(signal))),
    getUpdates: (offset, timeoutSeconds) =>
      call(
        "getUpdates",
        (signal) =>
          api.getUpdates(
            { offset, timeout: timeoutSeconds, allowed_updates: ["message", "callback_query"] },
            until(signal),
          ),
        timeoutSeconds + 10,
      ),
  }
}

export const layer = ({ apiRoot, token }: Options): Layer.Layer<Telegram> =>
  Layer.sync(Telegram)(() => ({ platform: botOf(token, apiRoot), as: (other) => botOf(other, apiRoot) }))

/** `TELEGRAM_BOT_TOKEN`, and `TELEGRAM_API_ROOT` if it is not Telegram's own. */
export const layerConfig = Layer.unwrap(
  Effect.gen(function* () {
    const token = yield* Config.Redacted("TELEGRAM_BOT_TOKEN")
    const apiRoot = yield* Config.String("TELEGRAM_API_ROOT").pipe(Config.withDefault("https://api.telegram.org"))
    return layer({ token, apiRoot })
  }),
)
