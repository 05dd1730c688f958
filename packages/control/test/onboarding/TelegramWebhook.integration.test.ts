import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { SqlClient } from "effect/sql/SqlClient"
import { TelegramDouble } from "../../src/embedded/TelegramDouble.ts"
import * as TelegramWorker from "../../src/onboarding/TelegramWorker.ts"
import { webhook } from "../../src/onboarding/TelegramUpdates.ts"
import { Wording } from "../../src/onboarding/Wording.ts"
import { ask, serve } from "../api/World.ts"
import { ports, services } from "./World.ts"

const logged: Array<string> = []
const log = Logger.layer([
  Logger.make((entry) => {
    logged.push(`${JSON.stringify(entry.message)} ${Cause.pretty(entry.cause)}`)
  }),
]).pipe(Layer.merge(Layer.succeed(References.MinimumLogLevel)("All")))

const server = serve(webhook(Redacted.make("s3cret"))).pipe(
  Layer.provideMerge(services),
  Layer.provideMerge(Wording.layerPlain),
  Layer.provideMerge(ports),
  Layer.provideMerge(log),
)

const eve = { id: 909, first_name: "Eve", username: "eve" }
const message = (update_id: number, text: string, type = "private") => ({
  update_id,
  message: { message_id: update_id, date: 1, from: eve, chat: { id: eve.id, type }, text },
})
const deliver = (body: unknown, secret = "s3cret") =>
  ask("/webhooks/telegram", { body, headers: { "x-telegram-bot-api-secret-token": secret } })

/** Works until nothing is due. */
const work = Effect.gen(function* () {
  while (yield* TelegramWorker.pass);
})

layer(server, { excludeTestServices: true })("Telegram's webhook", (it) => {
  it.effect("takes updates with the right secret alone, each once, and answers them in order", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const sql = yield* SqlClient
      yield* telegram.say("berth_bot", eve, "/start")
      assert.strictEqual((yield* deliver(message(1, "/start"), "wrong")).status, 401)
      assert.strictEqual((yield* ask("/webhooks/telegram", { body: message(1, "/start") })).status, 401)
      assert.deepStrictEqual(yield* sql`SELECT id FROM work`, [])
      for (const [id, text] of [
        [11, "/start"],
        [12, "Help me write Python"],
        [12, "Help me write Python"],
        [13, "10 a day"],
      ] as const) {
        assert.strictEqual((yield* deliver(message(id, text))).status, 200)
      }
      yield* work
      yield* deliver(message(13, "10 a day"))
      yield* work
      const chat = (yield* telegram.world).chats.find((one) => one.person.id === eve.id)
      const answers = chat?.messages.filter(({ from }) => from === "bot").map(({ text }) => text)
      assert.strictEqual(answers?.length, 3)
      assert.match(answers?.[0] ?? "", /^Hey! What do you want it to help/)
      assert.match(answers?.[1] ?? "", /how many messages a day/)
      assert.match(answers?.[2] ?? "", /e-mail address/)
    }),
  )

  it.effect("drops what is no private message, and a body that is no update", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const before = yield* sql`SELECT count(*) AS n FROM work`
      for (const body of [
        message(21, "hello", "group"),
        { update_id: 22, edited_message: {} },
        { nonsense: true },
        [],
      ]) {
        assert.strictEqual((yield* deliver(body)).status, 200)
      }
      assert.deepStrictEqual(yield* sql`SELECT count(*) AS n FROM work`, before)
    }),
  )

  it.effect("writes no token, not even on the way in, and seals it once", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const sql = yield* SqlClient
      const bot = yield* telegram.createBot("eves_bot")
      const words = `token ${bot.token}`
      assert.strictEqual((yield* deliver(message(31, words))).status, 200)
      assert.strictEqual((yield* deliver(message(31, words))).status, 200)
      yield* work
      const tables = ["work", "messages", "conversations", "customer_events", "agent_secrets"]
      const everything = JSON.stringify(yield* Effect.forEach(tables, (table) => sql`SELECT * FROM ${sql(table)}`))
      assert.notInclude(everything, bot.token.split(":")[1] ?? bot.token)
      const sealed = yield* sql`SELECT version FROM agent_secrets WHERE purpose = 'botToken'`
      assert.deepStrictEqual(sealed, [{ version: 1 }])
      const deletions = yield* sql`SELECT payload FROM work WHERE payload->>'_tag' = 'delete'`
      assert.deepStrictEqual(deletions, [{ payload: { _tag: "delete", chatId: "909", messageId: 31 } }])
    }),
  )

  it.effect("keeps no other secret of a message either", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* deliver(message(41, "my key is sk-abcdefghijklmnopqrstuvwxyz0123"))
      const [row] =
        yield* sql`SELECT payload->'update'->'message'->>'text' AS text FROM work WHERE id = 'telegram:update:41'`
      assert.deepStrictEqual(row, { text: "my key is [API key]" })
    }),
  )

  it.effect("logs no token, not even when Postgres fails to take it", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const sql = yield* SqlClient
      const bot = yield* telegram.createBot("eves_other_bot")
      const words = message(51, `no, this one: ${bot.token}`)
      yield* sql`ALTER TABLE agent_secrets RENAME TO away`
      const refused = yield* deliver(words)
      yield* sql`ALTER TABLE away RENAME TO agent_secrets`
      assert.strictEqual(refused.status, 503)
      assert.strictEqual((yield* deliver(words)).status, 200)
      assert.isNotEmpty(logged)
      assert.notInclude(logged.join("\n"), bot.token.split(":")[1] ?? bot.token)
    }),
  )
})
