/** A customer whose bot gets a new token: they are told what is wrong, see why, put it right in the chat, and hear that it is. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { freshRedis } from "@berth/domain/testing/FreshRedis"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { client, email, get, post, say, tell } from "../../src/demo/Customer.ts"
import * as Inbox from "../../src/demo/Inbox.ts"
import { tellStory } from "../../src/demo/Story.ts"
import * as BerthProcess from "./BerthProcess.ts"

const Mails = Schema.Array(Schema.Struct({ to: Schema.String, subject: Schema.String, text: Schema.String }))
const Revoked = Schema.Struct({ token: Schema.String, username: Schema.String })
const Chat = Schema.Struct({ messages: Schema.Array(Schema.Struct({ from: Schema.String, text: Schema.String })) })
const http = Layer.mergeAll(FetchHttpClient.layer, NodeSocket.layerWebSocketConstructor)

const bot = "troubled_bot"

/** Asks until it holds, for at most 40 s. */
const until = <A, E, R>(what: Effect.Effect<A, E, R>, holds: (value: A) => boolean) =>
  what.pipe(
    Effect.filterOrFail(holds, (value) => new Error(`not yet: ${JSON.stringify(value).slice(0, 2_000)}`)),
    Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 200 }),
  )

describe("a customer whose bot's token was replaced", () => {
  it.live(
    "is told so on the page, in the chat and by mail; sends the new one in the chat; and all is well again",
    () =>
      Effect.gen(function* () {
        const berth = yield* BerthProcess.make({
          DATABASE_URL: Redacted.value(yield* freshDatabase),
          REDIS_URL: yield* freshRedis,
        })
        const { origin, proxyOrigin } = berth
        const { bearer } = yield* tellStory({ origin, proxyOrigin, botUsername: bot, toTheEnd: false })
        const api = yield* client(origin, bearer)
        const inbox = yield* Inbox.open(origin, bearer)

        const well = yield* until(api.inspection.health(), ({ answers }) => answers === true)
        assert.deepInclude(well.conditions[0], { type: "Ready", status: "True" })
        const log = (previous: "true" | "false" = "false") => api.inspection.logs({ query: { tail: 50, previous } })
        assert.isAbove((yield* log()).lines.length, 0)

        const { token } = yield* post(`${origin}/dev/telegram/revocations`, { username: bot }, Revoked)
        yield* inbox.waitFor("the trouble", (event) => event._tag === "troubled", "60 seconds")
        const ill = yield* api.account.agent()
        assert.deepStrictEqual([ill.phase, ill.troubles.map(({ reason }) => reason)], ["active", ["BotTokenRejected"]])
        assert.isFalse(ill.reachable)
        const { conditions } = yield* until(api.inspection.health(), ({ answers }) => answers === false)
        assert.deepInclude(
          conditions.find(({ type }) => type === "BotToken"),
          { status: "False", reason: "BotTokenRejected" },
        )
        const { lines } = yield* until(log(), (one) => one.lines.some(({ text }) => /unauthorized/.test(text)))
        const written = lines.map(({ text }) => text).join("\n")
        assert.notInclude(written, token.split(":")[1] ?? token)
        const mail = yield* until(get(`${origin}/dev/mail`, Mails), (mails) =>
          mails.some(({ subject }) => subject.includes("needs your help")),
        )
        assert.deepStrictEqual(
          mail.flatMap(({ subject, to }) => (subject.includes("needs your help") ? [to] : [])),
          [email],
        )

        const conversation = yield* api.chat.open()
        const told = yield* until(api.chat.get({ params: { id: conversation.id } }), ({ messages }) =>
          messages.some(({ text }) => text.startsWith("Telegram rejects your bot's token")),
        )
        const other = yield* post(`${origin}/dev/telegram/bots`, { username: "another_one_bot" }, Revoked)
        const wrong = yield* say(api, told.id, `here: ${other.token}`)
        assert.match(wrong.added.at(-1)?.text ?? "", /another bot. Your agent answers as @troubled_bot/)
        const right = yield* say(api, told.id, `now this: ${token}`)
        assert.match(right.added.at(-1)?.text ?? "", /Thank you, that token works/)
        assert.notInclude(JSON.stringify(right.conversation), token)

        yield* inbox.waitFor("the end of it", (event) => event._tag === "recovered", "60 seconds")
        const { reachable, troubles } = yield* api.account.agent()
        assert.deepStrictEqual([reachable, troubles], [true, []])
        yield* until(api.inspection.health(), ({ answers }) => answers === true)
        yield* tell(origin, bot, "Are you there?")
        const chat = get(`${origin}/dev/telegram/chats/${bot}/4242`, Chat)
        const asked = (yield* chat).messages.findIndex(({ text }) => text === "Are you there?")
        yield* until(chat, ({ messages }) => messages.slice(asked + 1).some(({ from }) => from === "bot"))
        const all = (yield* log()).lines.map(({ text }) => text).join("\n")
        assert.notInclude(all, token.split(":")[1] ?? token)
      }).pipe(Effect.scoped, Effect.provide(http)),
    180_000,
  )
})
