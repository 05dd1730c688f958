/**
 * The conversation as a service, for both channels. A message is gathered (filtered, a token checked, facts read by plain
 * rules and, within the budget, by the model), decided by the core, applied in one transaction. Saying the same client id
 * twice says it once. Whatever the model, Telegram or Stripe do, no fact is lost and nobody is left without an answer.
 */
import { ConversationId, type CustomerId, type OrderId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { NotFound, Rejected } from "../api/Api.ts"
import type { Conversation, Message } from "../api/Messages.ts"
import { Checkout } from "../billing/Checkout.ts"
import { BotTokenCheck } from "./BotTokenCheck.ts"
import { ConversationStore, type Stored } from "./ConversationStore.ts"
import { step } from "./Conversation.ts"
import { isPaid } from "./Conversation/Following.ts"
import { type ConversationEvent, initial, type State } from "./Conversation/State.ts"
import type { TelegramPerson } from "./Facts.ts"
import { readPlainly } from "./PlainFacts.ts"
import { type Filtered, filterSecrets } from "./SecretFilter.ts"
import { type Applied, Turns } from "./Turns.ts"
import { Wording } from "./Wording.ts"

export const longestMessage = 4_000
/** Messages a minute in one conversation; more are refused, not queued. */
const mostPerMinute = 30

export interface Saying {
  readonly text: string
  readonly clientId: string
  readonly via: State["channel"]
}

export class Onboarding extends Context.Service<
  Onboarding,
  {
    /** The account's conversation, begun with a greeting if there is none. `person` when it begins in Telegram. */
    open(accountId: CustomerId, person?: TelegramPerson): Effect.Effect<Conversation, SqlError>
    /** Another account's is not found. */
    get(accountId: CustomerId, id: string): Effect.Effect<Conversation, NotFound | SqlError>
    say(
      accountId: CustomerId,
      id: string,
      saying: Saying,
    ): Effect.Effect<
      { readonly conversation: Conversation; readonly added: ReadonlyArray<Message> },
      NotFound | Rejected | SqlError
    >
    /** Takes an event that is not the customer's words, and opens the payment page if that follows. */
    tell(id: ConversationId, event: ConversationEvent): Effect.Effect<void, NotFound | SqlError>
    /** Tries to open an order's payment page again; quiet if it still can't be. */
    retryCheckout(id: ConversationId, accountId: CustomerId, orderId: OrderId): Effect.Effect<void, NotFound | SqlError>
  }
>()("@berth/control/Onboarding") {
  /** `ONBOARDING_MODEL_CALLS_PER_DAY` is what one account may cost in model calls; beyond it replies are plain. */
  static readonly layer: Layer.Layer<
    Onboarding,
    Config.ConfigError,
    SqlClient | SecureRandom.SecureRandom | ConversationStore | Turns | Checkout | BotTokenCheck | Wording
  > = Layer.effect(
    Onboarding,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const random = yield* SecureRandom.SecureRandom
      const store = yield* ConversationStore
      const turns = yield* Turns
      const checkout = yield* Checkout
      const bots = yield* BotTokenCheck
      const wording = yield* Wording
      const modelCallsPerDay = yield* Config.Int("ONBOARDING_MODEL_CALLS_PER_DAY").pipe(Config.withDefault(120))

      const view = Effect.fnUntraced(function* ({ id, state }: Stored) {
        return {
          id,
          channel: state.channel,
          stage: state.stage,
          orderId: state.orderId,
          messages: yield* store.messages(id),
        } satisfies Conversation
      })

      const owned = Effect.fnUntraced(function* (accountId: CustomerId, id: string) {
        const found = yield* store.find(id)
        return Option.isSome(found) && found.value.accountId === accountId
          ? found.value
          : yield* new NotFound({ message: "There is no such conversation." })
      })

      /** Stripe is asked outside of any transaction; the answer is an event like any other. */
      const openCheckout = Effect.fn("Onboarding.openCheckout")(function* (
        id: ConversationId,
        { accountId, checkout: orderId }: Pick<Applied, "accountId" | "checkout">,
        via: State["channel"] | "system",
        isQuiet = false,
      ) {
        if (orderId === undefined) return []
        const event = yield* checkout.open(accountId, orderId).pipe(
          Effect.map(({ url }): ConversationEvent => ({ _tag: "CheckoutOpened", orderId, url })),
          Effect.catchTags({
            PaymentsUnavailable: () =>
              Effect.succeed<ConversationEvent | undefined>(isQuiet ? undefined : { _tag: "CheckoutFailed", orderId }),
            // Paid or replaced meanwhile: what follows comes as an event.
            NotPayable: () => Effect.succeed(undefined),
            NotFound: () => Effect.succeed(undefined),
          }),
        )
        return event === undefined ? [] : (yield* turns.take(id, { event, via })).added
      })

      const today = Effect.map(Clock.currentTimeMillis, (now) => DateTime.formatIsoDateUtc(DateTime.makeUnsafe(now)))

      /** Reads a message against the state as it stands; the core decides on the state that it will find. */
      const gather = Effect.fn("Onboarding.gather")(function* (
        { accountId, state }: Stored,
        filtered: Filtered,
        via: State["channel"],
      ) {
        const { removed, text } = filtered
        const botToken = filtered.botTokens.at(-1)
        const isOver = isPaid(state)
        const bot = botToken === undefined ? null : yield* bots.check(accountId, botToken)
        const plain = readPlainly(text, state.asked, state.facts.useCase !== null)
        const day = yield* today
        const calls = state.model.day === day ? state.model.calls : 0
        const mayAsk = wording.isAvailable && !isOver && bot === null && calls + 2 <= modelCallsPerDay
        const proposed = mayAsk ? yield* wording.read(text, state.asked) : Option.none()
        // What the plain rules read stands; the model only adds.
        const event: ConversationEvent = {
          _tag: "Said",
          via,
          facts: { ...Option.getOrElse(proposed, () => ({})), ...plain.facts },
          intent: plain.intent,
          bot,
          removed,
        }
        // A model that did not answer the first time is not waited for a second time.
        const question = Option.isSome(proposed)
          ? step(state, event).replies.find((reply) => reply.question !== "")?.question
          : undefined
        const as = question === undefined ? Option.none() : yield* wording.phrase(question, text)
        return {
          event,
          ...(botToken === undefined ? {} : { botToken }),
          ...(mayAsk ? { model: { day, calls: question === undefined ? 1 : 2 } } : {}),
          ...(question !== undefined && Option.isSome(as) ? { phrase: { question, as: as.value } } : {}),
        }
      })

      const refuse = Effect.fnUntraced(function* (id: ConversationId, saying: Saying) {
        if (saying.text.trim() === "") return yield* new Rejected({ message: "Write something first." })
        if (saying.text.length > longestMessage) {
          return yield* new Rejected({ message: `A message may have at most 4,000 characters; please shorten it.` })
        }
        if (saying.clientId.length > 100) return yield* new Rejected({ message: "clientId is at most 100 characters." })
        const since = (yield* Clock.currentTimeMillis) - 60_000
        if ((yield* store.spokenSince(id, since)) >= mostPerMinute) {
          return yield* new Rejected({ message: "That was a lot at once. Please wait a minute." })
        }
      })

      const say = Effect.fn("Onboarding.say")(function* (accountId: CustomerId, id: string, saying: Saying) {
        const before = yield* owned(accountId, id)
        const repeated = yield* store.saidWith(before.id, saying.clientId)
        if (repeated.length > 0) return { conversation: yield* view(before), added: repeated }
        yield* refuse(before.id, saying)
        const filtered = filterSecrets(saying.text)
        const gathered = yield* gather(before, filtered, saying.via)
        const words = { text: filtered.text, clientId: saying.clientId }
        const applied = yield* turns.take(before.id, { ...gathered, words, via: saying.via })
        const paying = yield* openCheckout(before.id, applied, saying.via)
        return { conversation: yield* view(yield* owned(accountId, id)), added: [...applied.added, ...paying] }
      })

      const begin = Effect.fnUntraced(function* (accountId: CustomerId, person: TelegramPerson | null) {
        // The account's row lets two tabs begin one conversation.
        yield* sql`SELECT 1 FROM accounts WHERE id = ${accountId} FOR UPDATE`
        const known = yield* store.newestOf(accountId)
        if (Option.isSome(known)) return known.value.id
        const id = ConversationId.make(yield* random.uuidV7())
        yield* store.create(id, accountId, initial(person === null ? "web" : "telegram"))
        yield* turns
          .take(id, { event: { _tag: "Opened", person }, via: person === null ? "web" : "telegram" })
          .pipe(Effect.catchTag("NotFound", Effect.die))
        return id
      })

      return Onboarding.of({
        open: Effect.fn("Onboarding.open")(function* (accountId, person) {
          const known = yield* store.newestOf(accountId)
          if (Option.isSome(known)) return yield* view(known.value)
          const id = yield* sql.withTransaction(begin(accountId, person ?? null))
          return yield* Effect.flatMap(Effect.catchTag(owned(accountId, id), "NotFound", Effect.die), view)
        }),
        get: Effect.fn("Onboarding.get")((accountId, id) => Effect.flatMap(owned(accountId, id), view)),
        say,
        tell: Effect.fn("Onboarding.tell")(function* (id, event) {
          yield* openCheckout(id, yield* turns.take(id, { event, via: "system" }), "system")
        }),
        retryCheckout: Effect.fn("Onboarding.retryCheckout")(function* (id, accountId, orderId) {
          yield* openCheckout(id, { accountId, checkout: orderId }, "system", true)
        }),
      })
    }),
  )
}
