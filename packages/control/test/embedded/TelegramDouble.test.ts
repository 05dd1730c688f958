import { createServer } from "node:http"
import { assert, layer } from "@effect/vitest"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { autoRetry } from "@grammyjs/auto-retry"
import { Api, GrammyError } from "grammy"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { FetchHttpClient, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import { HttpServerRequest } from "effect/http"
import { platformBot, TelegramDouble } from "../../src/embedded/TelegramDouble.ts"
import { apiRoot, routes } from "../../src/embedded/TelegramDouble/Routes.ts"

const alice = { id: 4242, username: "alice", first_name: "Alice" }

const Server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provideMerge(TelegramDouble.layer),
  Layer.provideMerge(KeyValueStore.layerMemory),
  Layer.provideMerge(FetchHttpClient.layer),
)

const origin = Effect.map(HttpServer.HttpServer, ({ address }) => HttpServer.formatAddress(address))
const api = (token: string) => Effect.map(origin, (at) => new Api(token, { apiRoot: apiRoot(at) }))
const calls = <A>(run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (error) => (error instanceof GrammyError ? error : new Error(String(error))) })
const code = (error: unknown) => (error instanceof GrammyError ? error.error_code : 0)

layer(KeyValueStore.layerMemory)("the embedded Telegram", (it) => {
  it.effect("finds bots, chats and unread updates again after a kill", () =>
    Effect.gen(function* () {
      const store = yield* KeyValueStore.KeyValueStore
      const anew = TelegramDouble.layer.pipe(
        Layer.provide(Layer.succeed(KeyValueStore.KeyValueStore)(store)),
        Layer.provide(FetchHttpClient.layer),
      )
      const before = yield* Effect.gen(function* () {
        const telegram = yield* TelegramDouble
        yield* telegram.createBot("kept_bot")
        yield* telegram.say("kept_bot", alice, "still there?")
        return yield* telegram.world
      }).pipe(Effect.provide(anew))
      const after = yield* TelegramDouble.use((telegram) => telegram.world).pipe(Effect.provide(anew))
      assert.deepStrictEqual(after, before)
      assert.strictEqual(after.bots.find(({ username }) => username === "kept_bot")?.updates.length, 1)
    }),
  )
})

layer(Server, { excludeTestServices: true })("the embedded Telegram, by a real grammY client", (it) => {
  it.effect("has the platform's bot from the start", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const client = yield* api(Redacted.value(telegram.platformToken))
      const me = yield* calls(() => client.getMe())
      assert.strictEqual(me.username, platformBot)
      assert.isTrue(me.is_bot)
      assert.isTrue(Redacted.value(telegram.platformToken).startsWith(`${me.id}:`))
    }),
  )

  it.effect("refuses an unknown token with 401, an unknown method with 404, a malformed call with 400", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const stranger = yield* api("123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
      assert.strictEqual(code(yield* Effect.flip(calls(() => stranger.getMe()))), 401)
      const client = yield* api(Redacted.value(telegram.platformToken))
      assert.strictEqual(code(yield* Effect.flip(calls(() => client.sendDice(1, "🎲")))), 404)
      yield* telegram.say(platformBot, alice, "hi")
      assert.strictEqual(code(yield* Effect.flip(calls(() => client.sendMessage(4242, "  ")))), 400)
      assert.strictEqual(code(yield* Effect.flip(calls(() => client.sendMessage(999, "hello")))), 400)
      const bad = { reply_markup: { inline_keyboard: [[{ text: "neither data nor url" }]] } } as never
      assert.strictEqual(code(yield* Effect.flip(calls(() => client.sendMessage(4242, "x", bad)))), 400)
    }),
  )

  it.effect("holds a long poll until somebody writes, and hands an update out until it is confirmed", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const { token } = yield* telegram.createBot("poll_bot")
      const client = yield* api(token)
      const poll = yield* Effect.forkChild(calls(() => client.getUpdates({ timeout: 20 })))
      yield* Effect.sleep("100 millis")
      yield* telegram.say("poll_bot", alice, "/start abc")
      const [update] = yield* Fiber.join(poll)
      assert.strictEqual(update?.message?.text, "/start abc")
      assert.strictEqual(update?.message?.from?.id, 4242)
      const again = yield* calls(() => client.getUpdates())
      assert.deepStrictEqual(again, [update])
      const later = yield* calls(() => client.getUpdates({ offset: (update?.update_id ?? 0) + 1 }))
      assert.deepStrictEqual(later, [])
    }),
  )

  it.effect("lets one poller per token: the older one ends with 409", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const { token } = yield* telegram.createBot("two_pollers_bot")
      const client = yield* api(token)
      const older = yield* Effect.forkChild(Effect.flip(calls(() => client.getUpdates({ timeout: 20 }))))
      yield* Effect.sleep("100 millis")
      const newer = yield* Effect.forkChild(calls(() => client.getUpdates({ timeout: 5 })))
      assert.strictEqual(code(yield* Fiber.join(older)), 409)
      yield* telegram.say("two_pollers_bot", alice, "hello")
      assert.strictEqual((yield* Fiber.join(newer)).length, 1)
    }),
  )

  it.effect("keeps messages, edits, deletes and taps as a chat", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const { token } = yield* telegram.createBot("chat_bot")
      const client = yield* api(token)
      yield* telegram.say("chat_bot", alice, "hi")
      const sent = yield* calls(() =>
        client.sendMessage(4242, "Is this <b>you</b>?", {
          parse_mode: "HTML",
          reply_markup: { inline_keyboard: [[{ text: "Yes", callback_data: "yes" }]] },
        }),
      )
      assert.strictEqual(sent.text, "Is this you?")
      yield* telegram.tap("chat_bot", 4242, sent.message_id, "yes")
      const refused = yield* Effect.flip(telegram.tap("chat_bot", 4242, sent.message_id, "forged"))
      assert.strictEqual(refused.reason, "No such button.")
      const updates = yield* calls(() => client.getUpdates())
      const query = updates.find((update) => update.callback_query !== undefined)?.callback_query
      assert.strictEqual(query?.data, "yes")
      yield* calls(() => client.answerCallbackQuery(query!.id))
      yield* calls(() => client.editMessageText(4242, sent.message_id, "Thanks."))
      yield* calls(() => client.deleteMessage(4242, 1))
      const chat = (yield* telegram.world).chats.find((one) => one.bot === "chat_bot")
      assert.deepStrictEqual(
        chat?.messages.map((message) => message.text),
        ["Thanks."],
      )
    }),
  )

  it.effect("makes a flooded client wait and succeed", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const { token } = yield* telegram.createBot("flooded_bot")
      const client = yield* api(token)
      yield* telegram.flood(token, 1, 1)
      assert.strictEqual(code(yield* Effect.flip(calls(() => client.getMe()))), 429)
      yield* telegram.flood(token, 1, 1)
      client.config.use(autoRetry())
      assert.strictEqual((yield* calls(() => client.getMe())).username, "flooded_bot")
    }),
  )

  it.effect("delivers to a webhook with its secret, again after a refusal, and forbids polling meanwhile", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const seen = yield* Queue.unbounded<{ secret: string | undefined; text: unknown }>()
      let refusals = 1
      const hook = HttpRouter.add(
        "POST",
        "/hook",
        Effect.gen(function* () {
          const request = yield* HttpServerRequest.HttpServerRequest
          const body = (yield* request.json.pipe(Effect.orDie)) as { message?: { text?: string } }
          if (refusals-- > 0) return HttpServerResponse.empty({ status: 503 })
          Queue.offerUnsafe(seen, {
            secret: request.headers["x-telegram-bot-api-secret-token"],
            text: body.message?.text,
          })
          return HttpServerResponse.empty()
        }),
      )
      yield* Effect.gen(function* () {
        const { token } = yield* telegram.createBot("hooked_bot")
        const client = yield* api(token)
        const at = yield* origin.pipe(Effect.provideService(HttpServer.HttpServer, yield* HttpServer.HttpServer))
        const hooks = yield* Layer.build(
          HttpRouter.serve(hook, { disableLogger: true, disableListenLog: true }).pipe(
            Layer.provideMerge(Layer.fresh(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))),
          ),
        )
        const url = yield* origin.pipe(Effect.provide(hooks))
        assert.notStrictEqual(url, at)
        yield* calls(() => client.setWebhook(`${url}/hook`, { secret_token: "s3cret" }))
        assert.strictEqual(code(yield* Effect.flip(calls(() => client.getUpdates()))), 409)
        yield* telegram.say("hooked_bot", alice, "first")
        yield* telegram.say("hooked_bot", alice, "second")
        assert.deepStrictEqual(yield* Queue.take(seen), { secret: "s3cret", text: "first" })
        assert.deepStrictEqual(yield* Queue.take(seen), { secret: "s3cret", text: "second" })
        assert.strictEqual((yield* calls(() => client.getWebhookInfo())).url, `${url}/hook`)
      }).pipe(Effect.scoped)
    }),
  )

  it.effect("gives a bot a new token, and from then on knows the one before no more", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const { token } = yield* telegram.createBot("renewed_bot")
      const client = yield* api(token)
      yield* telegram.say("renewed_bot", alice, "hello")
      const { token: renewed } = yield* telegram.revoke("renewed_bot")
      assert.strictEqual(code(yield* Effect.flip(calls(() => client.getMe()))), 401)
      const again = yield* api(renewed)
      assert.strictEqual((yield* calls(() => again.getMe())).username, "renewed_bot")
      assert.strictEqual((yield* calls(() => again.getUpdates())).length, 1, "what was written to it is still there")
      assert.strictEqual((yield* Effect.flip(telegram.revoke("nobody_bot")))._tag, "TelegramDoubleRefused")
      assert.strictEqual((yield* Effect.flip(telegram.revoke("berth_bot")))._tag, "TelegramDoubleRefused")
    }),
  )
})
