/**
 * What a customer does, over HTTP as a browser would: talks, makes a bot, proves who they are in Telegram, pays. Answers
 * follow what is asked, so the order of the questions does not matter.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { PublicApi } from "../api/Api.ts"
import type { Card, Conversation } from "../api/Messages.ts"
import { StoryFailed } from "./Inbox.ts"

/** The person of the story. */
export const alice = { id: 4242, username: "alice", first_name: "Alice" }
export const email = "alice@example.com"

/** A typed client of the public API that sends a bearer. */
export const client = (origin: string, bearer?: string) =>
  HttpApiClient.make(PublicApi, {
    baseUrl: origin,
    transformClient: HttpClient.mapRequest((request) =>
      bearer === undefined ? request : HttpClientRequest.bearerToken(request, bearer),
    ),
  })
export type Client = Effect.Success<ReturnType<typeof client>>

const failed = (message: string) => new StoryFailed({ message })

/** Posts JSON to one of the embedded services and decodes its answer. */
export const post = <A, I>(url: string, body: unknown, answer: Schema.Codec<A, I>) =>
  HttpClient.execute(HttpClientRequest.post(url).pipe(HttpClientRequest.bodyJsonUnsafe(body))).pipe(
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap(HttpClientResponse.schemaBodyJson(answer)),
    Effect.mapError((error) => failed(`POST ${url}: ${error.message}`)),
  )

/** Gets JSON from one of the embedded services. */
export const get = <A, I>(url: string, answer: Schema.Codec<A, I>) =>
  HttpClient.get(url, { headers: { accept: "application/json" } }).pipe(
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap(HttpClientResponse.schemaBodyJson(answer)),
    Effect.mapError((error) => failed(`GET ${url}: ${error.message}`)),
  )

/** What Alice sends to a bot in the embedded Telegram. */
export const tell = (origin: string, bot: string, text: string) =>
  post(`${origin}/dev/telegram/messages`, { bot, from: alice, text }, Schema.Unknown)

const lastCard = <T extends Card["_tag"]>(conversation: Conversation, tag: T): Extract<Card, { _tag: T }> | undefined =>
  conversation.messages
    .flatMap((message) => message.cards)
    .findLast((card): card is Extract<Card, { _tag: T }> => card._tag === tag)

const read = (api: Client, conversationId: string) =>
  api.chat
    .get({ params: { id: conversationId } })
    .pipe(Effect.mapError((error) => failed(`reading the conversation failed: ${error.message}`)))

/** Says something; the client id makes a repeat of the same words one. */
export const say = (api: Client, conversationId: string, text: string) =>
  api.chat
    .say({ params: { id: conversationId }, payload: { text, clientId: text.slice(0, 80) } })
    .pipe(Effect.mapError((error) => failed(`saying "${text.slice(0, 40)}" failed: ${error.message}`)))

/** Waits until a card stands in the conversation. */
export const card = <T extends Card["_tag"]>(api: Client, conversationId: string, tag: T) =>
  Effect.gen(function* () {
    const conversation = yield* read(api, conversationId)
    const found = lastCard(conversation, tag)
    const words = conversation.messages.at(-1)?.text ?? "nothing"
    return found ?? (yield* failed(`no ${tag} came; last it said: ${words}`))
  }).pipe(Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 100 }))

/** Answers what is asked, each question once and in whatever order they come, until the offer is made. */
export const answerAll = Effect.fn("Customer.answerAll")(function* (
  origin: string,
  api: Client,
  conversationId: string,
  botUsername: string,
) {
  const answered = new Set<string>()
  for (let pauses = 0; pauses < 100;) {
    const conversation = yield* read(api, conversationId)
    const offer = lastCard(conversation, "Offer")
    if (offer !== undefined) return offer
    const words = conversation.messages.findLast((message) => message.role === "assistant")?.text ?? ""
    const link = lastCard(conversation, "TelegramLink")
    const once = (key: string, applies: boolean) => applies && !answered.has(key) && answered.add(key).size > 0
    if (once("confirm", /is this you/i.test(words))) yield* say(api, conversationId, "Yes")
    else if (once("telegram", link !== undefined)) {
      const { searchParams } = new URL(link?.url ?? "", origin)
      yield* tell(origin, searchParams.get("bot") ?? "", `/start ${searchParams.get("start") ?? ""}`)
    } else if (once("token", lastCard(conversation, "BotFatherLink") !== undefined)) {
      const made = Schema.Struct({ token: Schema.String })
      const bot = yield* post(`${origin}/dev/telegram/bots`, { username: botUsername }, made)
      yield* say(api, conversationId, `Here is my bot's token: ${bot.token}`)
    } else if (once("email", /e-?mail/i.test(words))) yield* say(api, conversationId, email)
    else if (once("volume", /a day|per day/i.test(words))) yield* say(api, conversationId, "about 10 messages a day")
    else {
      pauses += 1
      yield* Effect.sleep("200 millis")
    }
  }
  return yield* card(api, conversationId, "Offer")
})
