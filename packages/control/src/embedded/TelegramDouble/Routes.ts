/**
 * The embedded Telegram over HTTP: the Bot API under `/dev/telegram/api/bot<token>/<method>` (an `apiRoot` for grammY),
 * what people do under `/dev/telegram/{bots,revocations,messages,taps,chats}`, and a page to do it by hand. Answers only
 * callers who reach it as a loopback host, so that no website can speak through a visitor's browser.
 */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { TelegramLinks } from "../../api/Site.ts"
import { platformBot, TelegramDouble, type TelegramDoubleRefused } from "../TelegramDouble.ts"
import { botByName, chatOf, Person } from "./World.ts"

export const telegramPrefix = "/dev/telegram"
/** Below a service's own origin: grammY's `apiRoot`. */
export const apiRoot = (origin: string): string => `${origin}${telegramPrefix}/api`
/** Opens a bot's chat in the embedded Telegram; with `start` it presses Start with that payload. */
const deepLink = (origin: string, bot: string, start?: string): string => {
  const link = new URL(telegramPrefix, origin)
  link.searchParams.set("bot", bot)
  if (start !== undefined) link.searchParams.set("start", start)
  return link.href
}
/** Links into the embedded Telegram, for a Site. */
export const telegramLinks = (origin: string): TelegramLinks => ({
  bot: (username, start) => deepLink(origin, username, start),
  botFather: `${origin}${telegramPrefix}`,
})

const json = (body: unknown, status = 200) => HttpServerResponse.jsonUnsafe(body, { status })

/** Form and query values arrive as text; every parameter but these is JSON. */
const textual = new Set(["text", "url", "secret_token", "callback_query_id", "parse_mode", "action"])
const fromForm = (fields: Iterable<readonly [string, string]>): Record<string, unknown> =>
  Object.fromEntries(
    [...fields].map(([key, value]) => {
      if (textual.has(key)) return [key, value]
      try {
        return [key, JSON.parse(value)]
      } catch {
        return [key, value]
      }
    }),
  )

const parametersOf = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const query = fromForm(new URL(request.url, "http://localhost").searchParams)
  const type = request.headers["content-type"] ?? ""
  if (type.includes("json")) {
    const body = yield* request.json
    return Predicate.isObject(body) ? Object.assign(query, body) : query
  }
  if (type.includes("x-www-form-urlencoded")) {
    return { ...query, ...fromForm(new URLSearchParams(yield* request.text)) }
  }
  return query
})

const botApi = (telegram: TelegramDouble["Service"]) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { bot, method } = yield* HttpRouter.params
    const params = yield* Effect.result(parametersOf(request))
    if (bot === undefined || method === undefined || !bot.startsWith("bot")) {
      return json({ ok: false, error_code: 404, description: "Not Found" }, 404)
    }
    if (Result.isFailure(params)) {
      return json({ ok: false, error_code: 400, description: "Bad Request: can't parse the body" }, 400)
    }
    const answer = yield* telegram.call(bot.slice(3), method, params.success)
    if (Result.isSuccess(answer)) return json({ ok: true, result: answer.success })
    const { code, description, retryAfter } = answer.failure
    const wait = retryAfter === undefined ? {} : { parameters: { retry_after: retryAfter } }
    return json({ ok: false, error_code: code, description, ...wait }, code)
  })

/** Decodes a JSON body; a malformed one gets 400, what Telegram does not allow 409, both with `{message}`. */
const dev = <A, I>(body: Schema.Codec<A, I>, run: (input: A) => Effect.Effect<unknown, TelegramDoubleRefused>) =>
  HttpServerRequest.schemaBodyJson(body).pipe(
    Effect.mapError((error) => json({ message: error.message.slice(0, 300) }, 400)),
    Effect.flatMap((input) => run(input).pipe(Effect.mapError((refused) => json({ message: refused.reason }, 409)))),
    Effect.map((result) => json(result ?? {})),
    Effect.catch((response) => Effect.succeed(response)),
  )

const bots = (telegram: TelegramDouble["Service"]) =>
  dev(Schema.Struct({ username: Schema.String }), ({ username }) =>
    Effect.map(telegram.createBot(username), (bot) => ({ token: bot.token, username: bot.username })),
  )

const revocations = (telegram: TelegramDouble["Service"]) =>
  dev(Schema.Struct({ username: Schema.String }), ({ username }) =>
    Effect.map(telegram.revoke(username), (bot) => ({ token: bot.token, username: bot.username })),
  )

const messages = (telegram: TelegramDouble["Service"]) =>
  dev(Schema.Struct({ bot: Schema.String, from: Person, text: Schema.String }), (input) =>
    telegram.say(input.bot, input.from, input.text),
  )

const Tap = Schema.Struct({ bot: Schema.String, personId: Schema.Int, messageId: Schema.Int, data: Schema.String })
const taps = (telegram: TelegramDouble["Service"]) =>
  dev(Tap, (input) => telegram.tap(input.bot, input.personId, input.messageId, input.data))

/** One private chat, oldest message first. */
const chat = (telegram: TelegramDouble["Service"]) =>
  Effect.gen(function* () {
    const { bot, person } = yield* HttpRouter.params
    const world = yield* telegram.world
    const known = botByName(world, bot ?? "")
    if (known === undefined) return json({ message: "There is no such bot." }, 404)
    return json({ bot: known.username, messages: chatOf(world, known.username, Number(person))?.messages ?? [] })
  })

/** Every bot, with the last message of one person's chat. */
const chats = (telegram: TelegramDouble["Service"]) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const person = Number(new URL(request.url, "http://localhost").searchParams.get("person") ?? "0")
    const world = yield* telegram.world
    return json({
      platformBot,
      chats: world.bots.map((bot) => ({
        bot: bot.username,
        name: bot.firstName,
        last: chatOf(world, bot.username, person)?.messages.at(-1) ?? null,
      })),
    })
  })

const loopback = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/

const guarded = <E, R>(handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    loopback.test(request.headers["host"] ?? "")
      ? handler
      : Effect.succeed(json({ message: "The embedded Telegram answers on this machine alone." }, 403)),
  )

const page = Effect.sync(() => HttpServerResponse.html(readFileSync(new URL("./page.html", import.meta.url), "utf8")))

/** All of it, to be mounted on the router of whatever serves the embedded ports. */
export const routes: Layer.Layer<never, never, HttpRouter.HttpRouter | TelegramDouble> = HttpRouter.addAll(
  Effect.gen(function* () {
    const telegram = yield* TelegramDouble
    return [
      HttpRouter.route("*", "/api/:bot/:method", guarded(botApi(telegram))),
      HttpRouter.route("POST", "/bots", guarded(bots(telegram))),
      HttpRouter.route("POST", "/revocations", guarded(revocations(telegram))),
      HttpRouter.route("POST", "/messages", guarded(messages(telegram))),
      HttpRouter.route("POST", "/taps", guarded(taps(telegram))),
      HttpRouter.route("GET", "/chats", guarded(chats(telegram))),
      HttpRouter.route("GET", "/chats/:bot/:person", guarded(chat(telegram))),
      HttpRouter.route("GET", "/", guarded(page)),
    ]
  }),
  { prefix: telegramPrefix },
)
