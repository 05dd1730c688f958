/**
 * An embedded Telegram: BotFather, people and the Bot API over one world that a KeyValueStore keeps across a kill. What
 * was accepted is stored before it is answered. Long polls and webhooks are served as Telegram serves them: one poller
 * per token (the newest wins, the older gets 409), updates in order, redelivered until confirmed.
 */
import { randomBytes, randomInt } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { KeyValueStore, toSchemaStore } from "effect/persistence/KeyValueStore"
import * as PubSub from "effect/PubSub"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as SynchronizedRef from "effect/SynchronizedRef"
import { type Answer, type ApiError, GetUpdates, methods } from "./TelegramDouble/Methods.ts"
import {
  addBot,
  type Bot,
  botByName,
  botByToken,
  chatOf,
  confirmUpdates,
  personSays,
  personTaps,
  type Person,
  withBot,
  World,
} from "./TelegramDouble/World.ts"

/** Berth's own bot, there from the first start. */
export const platformBot = "berth_bot"

/** A person did what Telegram does not allow; `reason` says what. */
export class TelegramDoubleRefused extends Schema.TaggedError<TelegramDoubleRefused>()("TelegramDoubleRefused", {
  reason: Schema.String,
}) {}

export class TelegramDouble extends Context.Service<
  TelegramDouble,
  {
    /** A call of the Bot API, as `POST /bot<token>/<method>`. */
    call(token: string, method: string, params: unknown): Effect.Effect<Result.Result<unknown, ApiError>>
    /** BotFather's /newbot. */
    createBot(username: string): Effect.Effect<Bot, TelegramDoubleRefused>
    /** BotFather's /revoke: the bot has a new token, and the one before is nobody's. */
    revoke(username: string): Effect.Effect<Bot, TelegramDoubleRefused>
    /** A person writes to a bot. */
    say(bot: string, from: Person, text: string): Effect.Effect<{ message_id: number }, TelegramDoubleRefused>
    /** A person taps an inline button. */
    tap(bot: string, personId: number, messageId: number, data: string): Effect.Effect<void, TelegramDoubleRefused>
    readonly world: Effect.Effect<World>
    /** The token of `berth_bot`. */
    readonly platformToken: Redacted.Redacted<string>
    /** The next `times` calls with this token answer 429 with `retryAfter` seconds. For tests. */
    flood(token: string, times: number, retryAfter: number): Effect.Effect<void>
  }
>()("@berth/control/TelegramDouble") {
  static readonly layer: Layer.Layer<TelegramDouble, never, KeyValueStore | HttpClient.HttpClient> = Layer.unwrap(
    Effect.sync(() => Layer.effect(TelegramDouble, make)),
  )
}

const newBot = (world: World, username: string): World =>
  addBot(world, randomInt(10 ** 9, 10 ** 10), username, token(), randomInt(10 ** 8, 10 ** 9))

const token = () => `AA${randomBytes(25).toString("base64url")}`.slice(0, 35)

const make = Effect.gen(function* () {
  const store = toSchemaStore(yield* KeyValueStore, World)
  const http = yield* HttpClient.HttpClient
  const stored = yield* store.get("telegram").pipe(Effect.orDie)
  const empty: World = { bots: [], chats: [] }
  const loaded = Option.getOrElse(stored, () => empty)
  const first = botByName(loaded, platformBot) === undefined ? newBot(loaded, platformBot) : loaded
  yield* store.set("telegram", first).pipe(Effect.orDie)
  const ref = yield* SynchronizedRef.make(first)
  const changes = yield* PubSub.sliding<void>(1)
  const pollers = new Map<number, number>()
  const floods = new Map<string, { times: number; retryAfter: number }>()

  /** Decides on the newest world and stores the next one before anybody hears of it. */
  const change = <A, E>(decide: (world: World, date: number) => Result.Result<{ world: World; result: A }, E>) =>
    SynchronizedRef.modifyEffect(
      ref,
      (world) =>
        Effect.gen(function* () {
          const date = Math.floor((yield* Clock.currentTimeMillis) / 1000)
          const decided = decide(world, date)
          const next = Result.isSuccess(decided) ? decided.success.world : world
          if (next !== world) yield* store.set("telegram", next).pipe(Effect.orDie)
          return [Result.map(decided, (one) => one.result), next] as const
        }),
      // Only now does a reader see the new world.
    ).pipe(Effect.tap(() => PubSub.publish(changes, undefined)))

  const unauthorized: Result.Result<never, ApiError> = Result.fail({ code: 401, description: "Unauthorized" })
  const decodePoll = Schema.decodeUnknownResult(GetUpdates)

  const getUpdates = Effect.fnUntraced(function* (secret: string, params: unknown) {
    const bot = botByToken(yield* SynchronizedRef.get(ref), secret)
    if (bot === undefined) return unauthorized
    const decoded = decodePoll(params)
    if (Result.isFailure(decoded)) {
      return Result.fail<ApiError>({ code: 400, description: "Bad Request: wrong getUpdates parameters" })
    }
    const { limit, offset, timeout } = decoded.success
    const turn = (pollers.get(bot.id) ?? 0) + 1
    pollers.set(bot.id, turn)
    const subscription = yield* PubSub.subscribe(changes)
    const until = (yield* Clock.currentTimeMillis) + timeout * 1000
    const conflict = (why: string) => Result.fail<ApiError>({ code: 409, description: `Conflict: ${why}` })
    if (offset !== undefined) {
      yield* change((world) => {
        const now = botByToken(world, secret)
        if (now === undefined) return unauthorized
        const next = confirmUpdates(now, offset)
        const changed = next.updates.length !== now.updates.length
        return Result.succeed({ world: changed ? withBot(world, next) : world, result: undefined })
      })
    }
    // An older poll wakes, sees that it was overtaken and ends.
    yield* PubSub.publish(changes, undefined)
    while (true) {
      const now = botByToken(yield* SynchronizedRef.get(ref), secret)
      if (now === undefined) return unauthorized
      if (now.webhook !== null) {
        return conflict("can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook")
      }
      if (pollers.get(bot.id) !== turn) {
        return conflict("terminated by other getUpdates request; make sure that only one bot instance is running")
      }
      const left = until - (yield* Clock.currentTimeMillis)
      if (now.updates.length > 0 || left <= 0) {
        return Result.succeed(now.updates.slice(0, limit).map(({ content, update_id }) => ({ update_id, ...content })))
      }
      yield* PubSub.take(subscription).pipe(Effect.timeoutOption(left))
    }
  }, Effect.scoped)

  /** Sends the oldest update of each bot with a webhook until it is accepted with a 2xx. */
  const deliver = Effect.fnUntraced(function* (bot: Bot) {
    const update = bot.updates[0]
    if (update === undefined || bot.webhook === null) return
    const { secret, url } = bot.webhook
    const request = HttpClientRequest.post(url).pipe(
      HttpClientRequest.bodyJsonUnsafe({ update_id: update.update_id, ...update.content }),
      secret === null ? (same) => same : HttpClientRequest.setHeader("x-telegram-bot-api-secret-token", secret),
    )
    const accepted = yield* http.execute(request).pipe(
      Effect.map((response) => response.status >= 200 && response.status < 300),
      Effect.catch(() => Effect.succeed(false)),
    )
    if (!accepted) {
      // Telegram tries again after a while as well.
      yield* Effect.sleep("1 second")
      yield* PubSub.publish(changes, undefined)
      return
    }
    yield* change((world) => {
      const now = botByToken(world, bot.token)
      return Result.succeed({
        world: now === undefined ? world : withBot(world, confirmUpdates(now, update.update_id + 1)),
        result: undefined,
      })
    })
  })
  const deliveries = SynchronizedRef.get(ref).pipe(
    Effect.flatMap((world) => Effect.forEach(world.bots, deliver, { concurrency: "unbounded", discard: true })),
  )
  yield* Stream.fromPubSub(changes).pipe(
    Stream.runForEach(() => deliveries),
    Effect.forkScoped,
  )
  yield* deliveries.pipe(Effect.forkScoped)

  const refused = (reason: string) => Result.fail(new TelegramDoubleRefused({ reason }))
  const orFail = <A, E>(effect: Effect.Effect<Result.Result<A, E>>) => Effect.flatMap(effect, Effect.fromResult)

  return TelegramDouble.of({
    call: Effect.fn("TelegramDouble.call")(function* (secret, method, params) {
      const name = method.toLowerCase()
      const flood = floods.get(secret)
      if (flood !== undefined && flood.times > 0) {
        floods.set(secret, { ...flood, times: flood.times - 1 })
        const description = `Too Many Requests: retry after ${flood.retryAfter}`
        return Result.fail({ code: 429, description, retryAfter: flood.retryAfter })
      }
      if (name === "getupdates") return yield* getUpdates(secret, params)
      const known = methods[name]
      return yield* change<unknown, ApiError>((world, date): Result.Result<Answer, ApiError> => {
        const bot = botByToken(world, secret)
        if (bot === undefined) return unauthorized
        if (known === undefined) return Result.fail({ code: 404, description: "Not Found: method not found" })
        return known(world, bot, params, date)
      })
    }),
    createBot: (username) =>
      orFail(
        change((world) => {
          if (!/^[a-z][a-z0-9_]{1,28}bot$/i.test(username)) {
            return refused("A bot's username has 5 to 32 letters, digits or underscores and ends in bot.")
          }
          if (botByName(world, username) !== undefined) return refused("This username is already taken.")
          const next = newBot(world, username)
          const bot = botByName(next, username)
          return bot === undefined
            ? refused("The bot could not be made.")
            : Result.succeed({ world: next, result: bot })
        }),
      ),
    revoke: (username) =>
      orFail(
        change((world) => {
          const bot = botByName(world, username)
          if (bot === undefined) return refused(`There is no bot @${username}.`)
          if (bot.username === platformBot) return refused("That bot is Berth's own.")
          const renewed = { ...bot, token: `${bot.id}:${token()}` }
          return Result.succeed({ world: withBot(world, renewed), result: renewed })
        }),
      ),
    say: (name, from, text) =>
      orFail(
        change((world, date) => {
          const bot = botByName(world, name)
          if (bot === undefined) return refused(`There is no bot @${name}.`)
          if (text.trim() === "" || text.length > 4_096) return refused("A message has 1 to 4,096 characters.")
          const said = personSays(world, bot, from, text, date)
          return Result.succeed({ world: said.world, result: { message_id: said.message.message_id } })
        }),
      ),
    tap: (name, personId, messageId, data) =>
      orFail(
        change((world, date) => {
          const bot = botByName(world, name)
          const chat = bot === undefined ? undefined : chatOf(world, bot.username, personId)
          const message = chat?.messages.find((one) => one.message_id === messageId)
          const buttons = message?.keyboard?.inline_keyboard.flat() ?? []
          if (bot === undefined || chat === undefined || message === undefined) return refused("No such message.")
          if (!buttons.some((button) => button.callback_data === data)) return refused("No such button.")
          return Result.succeed({ world: personTaps(world, bot, chat, message, data, date), result: undefined })
        }),
      ),
    world: SynchronizedRef.get(ref),
    platformToken: Redacted.make(botByName(first, platformBot)?.token ?? ""),
    flood: (secret, times, retryAfter) => Effect.sync(() => void floods.set(secret, { times, retryAfter })),
  })
})
