/**
 * The whole story of a sold agent, told over HTTP and WebSocket against a running Berth with embedded services: one step
 * after another, each with its time. Used by `npm run demo` and, on real Postgres and Redis, by the e2e tests. Fails with
 * `StoryFailed` at the first step that does not go as told.
 */
import { namespaceOf } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { CustomerEvent } from "../api/Events.ts"
import * as OpenAiClient from "../live/OpenAiClient.ts"
import { alice, answerAll, card, client, email, get, say, tell } from "./Customer.ts"
import * as Inbox from "./Inbox.ts"
import { StoryFailed } from "./Inbox.ts"

export interface Options {
  /** Web and api, e.g. `http://127.0.0.1:3000`. */
  readonly origin: string
  /** The token-proxy, e.g. `http://127.0.0.1:8080`. */
  readonly proxyOrigin: string
  /** Name of the bot that is made; must be free. */
  readonly botUsername: string
  /** False: stop once the agent has answered and its usage shows, with the allowance not used up. */
  readonly toTheEnd: boolean
  /** How long an agent may take to be Ready; the embedded one takes a second. */
  readonly patience?: Duration.Input
}

const check = (holds: boolean, message: string) => (holds ? Effect.void : Effect.fail(new StoryFailed({ message })))

/** Tries until it holds; the last failure is the answer when time is up. */
const eventually = <A, E, R>(attempt: Effect.Effect<A, E, R>, times = 150) =>
  Effect.retry(attempt, { schedule: Schedule.spaced("100 millis"), times })

/** Runs a step and prints its line. */
const step = <A, E extends { readonly message: string }, R>(
  title: string,
  run: Effect.Effect<readonly [A, string], E, R>,
) =>
  Effect.gen(function* () {
    const begun = yield* Clock.currentTimeMillis
    const [result, detail] = yield* run.pipe(
      Effect.mapError((error) => new StoryFailed({ message: `${title}: ${error.message}` })),
    )
    const took = (yield* Clock.currentTimeMillis) - begun
    yield* Console.log(
      `✓ ${String(took).padStart(6)} ms  ${title}${detail === "" ? "" : `: ${detail.replace(/\s+/g, " ")}`}`,
    )
    return result
  })

const paragraph = "The quick brown fox jumps over the lazy dog while the ship lies at its berth. "

const Chat = Schema.Struct({ messages: Schema.Array(Schema.Struct({ text: Schema.String })) })
const Mails = Schema.Array(Schema.Struct({ to: Schema.String, subject: Schema.String, text: Schema.String }))
const Objects = Schema.Array(
  Schema.Struct({
    kind: Schema.String,
    metadata: Schema.Struct({ name: Schema.String, namespace: Schema.optionalKey(Schema.String) }),
    data: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  }),
)

const isA =
  <T extends CustomerEvent["_tag"]>(tag: T) =>
  (event: CustomerEvent): event is Extract<CustomerEvent, { _tag: T }> =>
    event._tag === tag

/** The newest thing the bot said that was not there before. */
const botSays = (origin: string, bot: string, after: number) =>
  eventually(
    Effect.gen(function* () {
      const { messages } = yield* get(`${origin}/dev/telegram/chats/${bot}/${alice.id}`, Chat)
      const said = messages[after]
      return said === undefined ? yield* new StoryFailed({ message: "the bot has not answered" }) : said.text
    }),
    300,
  )

const chatLength = (origin: string, bot: string) =>
  get(`${origin}/dev/telegram/chats/${bot}/${alice.id}`, Chat).pipe(Effect.map(({ messages }) => messages.length))

/** Sends a message to a bot; what it answers. */
const talk = Effect.fn("Story.talk")(function* (origin: string, bot: string, text: string) {
  const before = yield* chatLength(origin, bot)
  yield* tell(origin, bot, text)
  return yield* botSays(origin, bot, before + 1)
})

export const tellStory = Effect.fn("Story.tellStory")(function* (options: Options) {
  const { origin, proxyOrigin, botUsername } = options
  const live = `Your agent is live! Message @${botUsername}`
  const session = yield* step(
    "A visitor opens the page",
    Effect.gen(function* () {
      const opened = yield* (yield* client(origin)).session.open({ payload: { bearer: true } })
      return [opened, `account ${opened.accountId}`] as const
    }),
  )
  const bearer = session.token ?? ""
  const api = yield* client(origin, bearer)
  const inbox = yield* Inbox.open(origin, bearer)

  const conversation = yield* step(
    'They say "Help me write Python and review my PRs"',
    Effect.gen(function* () {
      const { id } = yield* api.chat.open()
      const said = yield* say(api, id, "Help me write Python and review my PRs")
      return [id, said.added.findLast((message) => message.role === "assistant")?.text ?? ""] as const
    }),
  )

  yield* step(
    "What is missing is asked for and given: a bot, who they are in Telegram, an address",
    Effect.gen(function* () {
      const offer = yield* answerAll(origin, api, conversation, botUsername)
      yield* check(
        offer.headline === "Pro · $49/mo · 5M tokens/mo",
        `the offer was ${offer.headline}, not Pro · $49/mo · 5M tokens/mo`,
      )
      return [undefined, `${offer.headline}. ${offer.reason}`] as const
    }),
  )

  const checkout = yield* step(
    "They take the offer",
    Effect.gen(function* () {
      yield* say(api, conversation, "Yes, set it up")
      const found = yield* card(api, conversation, "Checkout")
      return [found, `order ${found.orderId}, to be paid at ${found.url}`] as const
    }),
  )

  yield* step(
    "They pay on the checkout page and come back",
    Effect.gen(function* () {
      const page = yield* HttpClient.get(checkout.url).pipe(Effect.flatMap((response) => response.text))
      yield* check(page.includes("$49"), "the checkout page does not show the price")
      yield* HttpClient.execute(HttpClientRequest.post(`${checkout.url}/pay`)).pipe(
        Effect.flatMap(HttpClientResponse.filterStatusOk),
      )
      const { outcome } = yield* api.chat.returned({ payload: { orderId: checkout.orderId } })
      yield* check(outcome === "accepted", `POST /provision did not take the paid order: ${outcome}`)
      yield* inbox.waitFor("payment", isA("paid"), "20 seconds")
      return [undefined, "onboarding called POST /provision, which answered 202: the order is paid"] as const
    }),
  )

  yield* step(
    "The operator makes their namespace, secret, quota, policy and deployment, and waits for Ready",
    Effect.gen(function* () {
      const active = yield* inbox.waitFor("active agent", isA("active"), options.patience ?? "60 seconds")
      yield* check(active.text === live, `the page was told: ${active.text}`)
      const steps = inbox.seen().filter(isA("step"))
      for (const wanted of ["Namespace", "Secret", "Quota", "NetworkPolicy", "Deployment"])
        yield* check(
          steps.some((one) => one.step === wanted),
          `no step ${wanted} was told`,
        )
      return [undefined, `${steps.map((one) => one.step).join(" → ")}; "${active.text}"`] as const
    }),
  )

  yield* step(
    "The same stands in their mailbox",
    Effect.gen(function* () {
      const mail = yield* eventually(
        Effect.gen(function* () {
          const mails = yield* get(`${origin}/dev/mail`, Mails)
          const found = mails.filter((one) => one.to === email && one.text.includes(live))
          yield* check(found.length > 0, "no mail came")
          yield* check(found.length === 1, `${found.length} mails came instead of one`)
          return found[0]
        }),
      )
      return [undefined, mail?.subject ?? ""] as const
    }),
  )

  const first = yield* step(
    "They write to their bot, the agent calls the token-proxy, and the answer comes back",
    Effect.gen(function* () {
      const answer = yield* talk(origin, botUsername, "Write a Python function that reverses a string")
      return [answer, answer.replaceAll("\n", " ").slice(0, 90)] as const
    }),
  )
  yield* check(first.length > 0, "the agent answered with nothing")

  const used = yield* step(
    "What it used shows on the usage page, and stands in the ledger",
    Effect.gen(function* () {
      const usage = yield* eventually(
        Effect.gen(function* () {
          const now = yield* api.account.usage()
          const recorded = now.recent.reduce((sum, call) => sum + call.charged, 0)
          yield* check(now.used > 0, "no usage shows")
          yield* check(recorded === now.used, `the ledger has ${recorded} tokens, the allowance ${now.used}`)
          return now
        }),
      )
      return [usage, `${usage.used} of ${usage.limit} tokens used, ${usage.recent.length} call recorded`] as const
    }),
  )
  if (!options.toTheEnd) return { accountId: session.accountId, bearer, used: used.used }

  const token = yield* step(
    "An OpenAI client of their own gets the pod's token",
    Effect.gen(function* () {
      const objects = yield* get(`${origin}/dev/cluster`, Objects)
      const namespace = namespaceOf(session.accountId)
      const found = objects
        .filter((object) => object.kind === "Secret" && object.metadata.namespace === namespace)
        .flatMap((secret) => Object.values(secret.data ?? {}))
        .map((encoded) => Buffer.from(encoded, "base64").toString())
        .find((value) => value.startsWith("bth_"))
      if (found === undefined) return yield* new StoryFailed({ message: "the namespace holds no proxy token" })
      return [Redacted.make(found), `from the Secret in ${namespace}`] as const
    }),
  )
  const openai = OpenAiClient.make(`${proxyOrigin}/v1`, token)

  yield* step(
    "The npm package openai asks, not streaming",
    Effect.map(openai.ask("What is a berth?"), (answer) => [
      undefined,
      `${answer.promptTokens} + ${answer.completionTokens} tokens`,
    ]),
  )
  yield* step(
    "and streaming",
    Effect.map(openai.stream("Name three Python linters"), (answer) => [
      undefined,
      `${answer.promptTokens} + ${answer.completionTokens} tokens`,
    ]),
  )

  const refused = yield* step(
    "They use the month up, with long documents",
    Effect.gen(function* () {
      let calls = 0
      // A long document is refused while a short one still fits, so they get shorter, down to less than the agent's own prompt.
      for (const paragraphs of [8_000, 1_000, 125]) {
        const document = paragraph.repeat(paragraphs)
        for (const limit = calls + 60; calls < limit;) {
          const answer = yield* Effect.result(openai.ask(`Document ${(calls += 1)}. ${document}`))
          if (answer._tag === "Success") continue
          if (paragraphs === 125) return [answer.failure, `after ${calls} calls`] as const
          break
        }
      }
      return yield* new StoryFailed({ message: "180 long calls were all served" })
    }),
  )
  yield* step(
    "The proxy refuses with the words that OpenClaw shows as they are",
    Effect.gen(function* () {
      yield* check(refused.status === 429, `the status was ${refused.status}`)
      yield* check(refused.code === "usage_limit_reached", `the code was ${refused.code}`)
      return [undefined, refused.message] as const
    }),
  )
  yield* step(
    "and their bot says the same",
    Effect.gen(function* () {
      const words = yield* talk(origin, botUsername, "And now another one")
      yield* check(words.startsWith("Monthly usage limit reached."), `it said: ${words}`)
      return [undefined, words] as const
    }),
  )
  return { accountId: session.accountId, bearer, used: used.limit }
})
