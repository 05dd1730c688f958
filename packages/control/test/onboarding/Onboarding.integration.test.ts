import { CustomerId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import { SqlClient } from "effect/sql/SqlClient"
import type { Card, Conversation } from "../../src/api/Messages.ts"
import { routes as apiRoutes } from "../../src/api/Server.ts"
import { TelegramDouble } from "../../src/embedded/TelegramDouble.ts"
import { CustomerEvents } from "../../src/notify/CustomerEvents.ts"
import * as EventFollower from "../../src/onboarding/EventFollower.ts"
import { Onboarding } from "../../src/onboarding/Onboarding.ts"
import { routes, workers } from "../../src/onboarding/Server.ts"
import { Wording } from "../../src/onboarding/Wording.ts"
import { ask, bearer, openSession, serve } from "../api/World.ts"
import { alice, PaymentsUp, ports, services } from "./World.ts"

const server = serve(Layer.mergeAll(apiRoutes, routes, workers)).pipe(
  Layer.provideMerge(services),
  Layer.provideMerge(Wording.layerPlain),
  Layer.provideMerge(ports),
)

let said = 0
const sayAs = (token: string, id: string, text: string, clientId = `c${(said += 1)}`) =>
  ask(`/api/conversations/${id}/messages`, { body: { text, clientId }, headers: bearer(token) })
const openChat = (token: string) =>
  Effect.map(ask("/api/conversations", { method: "POST", headers: bearer(token) }), ({ json }) => json as Conversation)
const getChat = (token: string, id: string) =>
  Effect.map(ask(`/api/conversations/${id}`, { headers: bearer(token) }), ({ json }) => json as Conversation)
const cardOf = <T extends Card["_tag"]>({ messages }: Pick<Conversation, "messages">, tag: T) =>
  messages.flatMap((message) => message.cards).findLast((card): card is Extract<Card, { _tag: T }> => card._tag === tag)

const eventually = <A, E, R>(read: Effect.Effect<A, E, R>, is: (value: A) => boolean) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 200; tries += 1) {
      const value = yield* read
      if (is(value)) return value
      yield* Effect.sleep("30 millis")
    }
    return assert.fail("it never came to that")
  })

/** Everything that Postgres holds of a conversation's people. */
const everything = Effect.gen(function* () {
  const sql = yield* SqlClient
  const tables = [
    "accounts",
    "conversations",
    "messages",
    "work",
    "customer_events",
    "orders",
    "agent_secrets",
    "audit",
  ]
  return JSON.stringify(yield* Effect.forEach(tables, (table) => sql`SELECT * FROM ${sql(table)}`))
})

/** Talks until the offer stands; the session, the chat and the token that was pasted. */
const untilOffer = Effect.fn(function* (botName: string, person = alice) {
  const telegram = yield* TelegramDouble
  const session = yield* openSession
  const { id } = yield* openChat(session.token)
  const say = (text: string) => sayAs(session.token, id, text)
  const bot = yield* telegram.createBot(botName)
  yield* say("Help me write Python and review my PRs")
  yield* say("about 10 messages a day, alice@example.com")
  const linked = (yield* say(`my token: ${bot.token}`)).json.conversation as Conversation
  const code = new URL(cardOf(linked, "TelegramLink")?.url ?? "").searchParams.get("start") ?? ""
  yield* telegram.say("berth_bot", person, `/start ${code}`)
  yield* eventually(getChat(session.token, id), ({ messages }) => /Is this you: @/.test(messages.at(-1)?.text ?? ""))
  const offered = (yield* say("Yes, that's me")).json.conversation as Conversation
  return { ...session, id, say, bot, code, offered }
})

layer(server, { excludeTestServices: true })("onboarding", (it) => {
  it.effect("begins one conversation per account, with the greeting", () =>
    Effect.gen(function* () {
      const { token } = yield* openSession
      const [first, second] = yield* Effect.all([openChat(token), openChat(token)], { concurrency: 2 })
      assert.strictEqual(first.id, second.id)
      assert.deepStrictEqual(
        first.messages.map(({ text }) => text),
        ["Hey! What do you want it to help you with?"],
      )
      assert.strictEqual(first.stage, "gathering")
    }),
  )

  it.effect("tells the seed's story over HTTP: from words to a payment page and a live agent", () =>
    Effect.gen(function* () {
      const events = yield* CustomerEvents
      const sql = yield* SqlClient
      const { accountId, bot, id, offered, say, token } = yield* untilOffer("alice_one_bot")
      assert.strictEqual(offered.stage, "offered")
      assert.strictEqual(cardOf(offered, "Offer")?.headline, "Pro · $49/mo · 5M tokens/mo")
      const paying = (yield* say("Yes, set it up")).json.conversation as Conversation
      assert.strictEqual(paying.stage, "checkout")
      assert.strictEqual(cardOf(paying, "Checkout")?.url, `https://pay.example/${paying.orderId}`)
      const [order] = yield* sql`SELECT * FROM orders WHERE id = ${paying.orderId}`
      assert.deepInclude(order, {
        account_id: accountId,
        tier: "pro",
        email: "alice@example.com",
        telegram_user_id: "4242",
        bot_username: "alice_one_bot",
        status: "open",
      })
      const customer = CustomerId.make(accountId)
      yield* events.append(customer, "paid", { _tag: "paid", orderId: paying.orderId ?? "" })
      yield* events.append(customer, "active", { _tag: "active", botUsername: "alice_one_bot", text: "" })
      const live = yield* eventually(getChat(token, id), ({ stage }) => stage === "live")
      assert.strictEqual(live.messages.at(-1)?.text, "Your agent is live! Message @alice_one_bot")
      // Messages that no request asked for are events of the WebSocket as well.
      const told = yield* events.after(customer, 0)
      assert.isTrue(told.some((event) => event._tag === "message" && /is live/.test(event.message.text)))
      const secrets = yield* sql`SELECT purpose, version FROM agent_secrets WHERE customer_id = ${accountId}`
      assert.deepStrictEqual(secrets, [{ purpose: "botToken", version: 1 }])
      assert.notInclude(yield* everything, bot.token.split(":")[1] ?? bot.token)
    }),
  )

  it.effect("follows into the linked Telegram chat", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const events = yield* CustomerEvents
      const dora = { id: 555, username: "dora", first_name: "Dora" }
      const { accountId } = yield* untilOffer("dora_bot", dora)
      yield* events.append(CustomerId.make(accountId), `paid:${accountId}`, { _tag: "paid", orderId: "o" })
      const chat = Effect.map(telegram.world, (world) =>
        world.chats.find((one) => one.bot === "berth_bot" && one.person.id === 555)?.messages.map(({ text }) => text),
      )
      const texts = yield* eventually(chat, (all) => (all ?? []).some((text) => text.startsWith("Payment received")))
      assert.isTrue(texts?.some((text) => text.startsWith("Thanks, Dora. Now go back to the page")))
    }),
  )

  it.effect("says a repeated client id once", () =>
    Effect.gen(function* () {
      const { token } = yield* openSession
      const { id } = yield* openChat(token)
      const text = "Help me write Python"
      const answers = yield* Effect.all(
        [1, 2, 3].map(() => sayAs(token, id, text, "same")),
        { concurrency: 3 },
      )
      const again = yield* sayAs(token, id, text, "same")
      for (const { json } of answers) assert.deepStrictEqual(json.added, again.json.added)
      const { messages } = yield* getChat(token, id)
      assert.deepStrictEqual(
        messages.map(({ role, seq }) => `${seq}${role}`),
        ["1assistant", "2user", "3assistant"],
      )
    }),
  )

  it.effect("shows a conversation to its account alone", () =>
    Effect.gen(function* () {
      const mine = yield* openSession
      const other = yield* openSession
      const { id } = yield* openChat(mine.token)
      const headers = bearer(other.token)
      assert.strictEqual((yield* ask(`/api/conversations/${id}`, { headers })).status, 404)
      assert.strictEqual((yield* sayAs(other.token, id, "hello there")).status, 404)
      assert.strictEqual((yield* ask(`/api/conversations/${id}`)).status, 401)
      assert.strictEqual((yield* getChat(mine.token, id)).messages.length, 1)
    }),
  )

  it.effect("refuses what is too long or too much, in words", () =>
    Effect.gen(function* () {
      const { token } = yield* openSession
      const { id } = yield* openChat(token)
      const long = yield* sayAs(token, id, "x".repeat(4_001))
      assert.strictEqual(long.status, 422)
      assert.match(long.json.message, /4,000/)
      for (let n = 0; n < 30; n += 1) yield* sayAs(token, id, `message ${n}`)
      assert.strictEqual((yield* sayAs(token, id, "one more")).status, 422)
    }),
  )

  it.effect("takes words whose emoji lies where a use case is cut, and characters that Postgres can't hold", () =>
    Effect.gen(function* () {
      const { token } = yield* openSession
      const { id } = yield* openChat(token)
      const words = "It should help me with my garden. ".padEnd(599, "x")
      const cut = yield* sayAs(token, id, `${words}\u{1F331} and so on`)
      assert.strictEqual(cut.status, 200)
      const odd = yield* sayAs(token, id, "half \uD83C of one, and \0 nothing, about 10 messages a day")
      assert.strictEqual(odd.status, 200)
      assert.include(
        JSON.stringify(odd.json.conversation.messages),
        "half \uFFFD of one, and  nothing, about 10 messages a day",
      )
    }),
  )

  it.effect("refuses a made-up token and another customer's bot, and keeps neither", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const sql = yield* SqlClient
      const { accountId, token } = yield* openSession
      const { id } = yield* openChat(token)
      const madeUp = "7123456789:AAHk3vJx0PqYz1234567890abcdefghijkl"
      const answer = yield* sayAs(token, id, `token ${madeUp}`)
      assert.match(answer.json.added[1].text, /Telegram does not know that token/)
      assert.strictEqual(answer.json.added[0].text, "token [bot token]")
      const hooked = yield* telegram.createBot("hooked_elsewhere_bot")
      yield* telegram.call(hooked.token, "setWebhook", { url: "https://elsewhere.example/hook" })
      assert.match((yield* sayAs(token, id, hooked.token)).json.added[1].text, /connected to another service/)
      assert.deepStrictEqual(yield* sql`SELECT 1 FROM agent_secrets WHERE customer_id = ${accountId}`, [])
      assert.notInclude(yield* everything, madeUp.split(":")[1] ?? madeUp)
    }),
  )

  it.effect("lets a link be used once, within ten minutes", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const sql = yield* SqlClient
      const texts = (person: number) =>
        Effect.map(telegram.world, (world) =>
          (world.chats.find((one) => one.bot === "berth_bot" && one.person.id === person)?.messages ?? [])
            .map(({ text }) => text)
            .join("\n"),
        )
      const { code, id, offered, token } = yield* untilOffer("once_bot")
      const mallory = { id: 666, username: "mallory", first_name: "Mallory" }
      yield* telegram.say("berth_bot", mallory, `/start ${code}`)
      yield* eventually(texts(666), (all) => all.includes("This link was used or is too old"))
      assert.strictEqual((yield* getChat(token, id)).messages.length, offered.messages.length)
      const late = yield* openSession
      const chat = yield* openChat(late.token)
      const bot = yield* telegram.createBot("late_bot")
      const linked = yield* sayAs(late.token, chat.id, `Help me write Python, 5 a day, l@example.com ${bot.token}`)
      const lateCode = new URL(cardOf(linked.json.conversation, "TelegramLink")?.url ?? "").searchParams.get("start")
      yield* sql`UPDATE link_codes SET expires_at = expires_at - 600001 WHERE conversation_id = ${chat.id}`
      yield* telegram.say("berth_bot", { id: 777, first_name: "Late" }, `/start ${lateCode}`)
      yield* eventually(texts(777), (all) => all.includes("This link was used or is too old"))
      assert.strictEqual((yield* getChat(late.token, chat.id)).messages.length, 3)
    }),
  )

  it.effect("talks in Telegram alone, and deletes a pasted token there", () =>
    Effect.gen(function* () {
      const telegram = yield* TelegramDouble
      const sql = yield* SqlClient
      const bob = { id: 31337, username: "bob", first_name: "Bob" }
      const chat = Effect.map(
        telegram.world,
        (world) => world.chats.find((one) => one.bot === "berth_bot" && one.person.id === bob.id)?.messages ?? [],
      )
      const after = (pattern: RegExp) => eventually(chat, (all) => pattern.test(all.at(-1)?.text ?? ""))
      yield* telegram.say("berth_bot", bob, "/start")
      yield* after(/^Hey! What do you want it to help/)
      yield* telegram.say("berth_bot", bob, "Review my pull requests, help me with Python")
      const asked = yield* after(/how many messages a day/)
      const button = asked
        .at(-1)
        ?.keyboard?.inline_keyboard.flat()
        .find(({ text }) => text === "About 10")
      yield* telegram.tap("berth_bot", bob.id, asked.at(-1)?.message_id ?? 0, button?.callback_data ?? "")
      yield* after(/Which e-mail address/)
      yield* telegram.say("berth_bot", bob, "bob@example.com")
      yield* after(/BotFather/)
      const bot = yield* telegram.createBot("bobs_bot")
      yield* telegram.say("berth_bot", bob, `here: ${bot.token}`)
      const offered = yield* after(/Here's your setup: Pro · \$49\/mo · 5M tokens\/mo/)
      const withoutToken = yield* eventually(chat, (all) => !all.some(({ text }) => text.includes(bot.token)))
      assert.isAtMost(withoutToken.length, offered.length)
      assert.notInclude(yield* everything, bot.token.split(":")[1] ?? bot.token)
      yield* telegram.say("berth_bot", bob, "yes")
      const paying = yield* after(/Pay here/)
      assert.match(paying.at(-1)?.keyboard?.inline_keyboard[0]?.[0]?.url ?? "", /^https:\/\/pay\.example\//)
      const [order] = yield* sql`SELECT o.telegram_user_id AS id FROM orders o
        JOIN identities i ON i.account_id = o.account_id WHERE i.subject = '31337'`
      assert.deepStrictEqual(order, { id: "31337" })
    }),
  )

  it.effect("keeps an accepted offer while payments are down, and opens its page later", () =>
    Effect.gen(function* () {
      const isUp = yield* PaymentsUp
      const sql = yield* SqlClient
      const { id, say, token } = yield* untilOffer("patient_bot")
      yield* Ref.set(isUp, false)
      const failed = (yield* say("yes")).json.conversation as Conversation
      assert.match(failed.messages.at(-1)?.text ?? "", /Nothing was charged/)
      yield* Ref.set(isUp, true)
      // As if half a minute had passed, whatever else touches the row meanwhile.
      const later = sql`UPDATE conversations SET updated_at = updated_at - 60000 WHERE id = ${id}`
      const opened = yield* eventually(
        Effect.andThen(later, getChat(token, id)),
        (chat) => cardOf(chat, "Checkout") !== undefined,
      )
      assert.strictEqual(cardOf(opened, "Checkout")?.orderId, failed.orderId)
    }),
  )

  it.effect("tells an event once when two follow", () =>
    Effect.gen(function* () {
      const events = yield* CustomerEvents
      const { accountId, token } = yield* openSession
      const { id } = yield* openChat(token)
      const one = yield* EventFollower.make
      const two = yield* EventFollower.make
      yield* events.append(CustomerId.make(accountId), `paid:${accountId}`, { _tag: "paid", orderId: "o9" })
      yield* Effect.all([one.pass, two.pass, one.pass, two.pass], { concurrency: 4 })
      const { messages } = yield* eventually(getChat(token, id), (chat) => chat.messages.length >= 2)
      assert.strictEqual(messages.filter(({ text }) => text.startsWith("Payment received")).length, 1)
    }),
  )

  it.effect("does not find a conversation that is none", () =>
    Effect.gen(function* () {
      const onboarding = yield* Onboarding
      const { accountId } = yield* openSession
      const error = yield* Effect.flip(onboarding.get(CustomerId.make(accountId), "none"))
      assert.strictEqual(error._tag, "NotFound")
    }),
  )
})
