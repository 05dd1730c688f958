/**
 * One turn of a conversation, applied: under the row's lock the core decides on the newest state, and its replies, its
 * effects and what follows for other channels are written in the same transaction, or nothing is. What was said with a
 * known client id is answered from what is stored.
 */
import { type ConversationId, type CustomerId, OrderId } from "@berth/domain/Ids"
import { Work } from "@berth/domain/Work"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { NotFound } from "../api/Api.ts"
import type { Message } from "../api/Messages.ts"
import type { Audit } from "../billing/Audit.ts"
import { Orders } from "../billing/Orders.ts"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import * as AgentRequests from "../provision/AgentRequests.ts"
import { AgentSecrets } from "../provision/AgentSecrets.ts"
import { advise } from "./Advice.ts"
import { Cards } from "./Cards.ts"
import { step } from "./Conversation.ts"
import {
  type ConversationEffect,
  type ConversationEvent,
  type Reply,
  type State,
  textOf,
} from "./Conversation/State.ts"
import { ConversationStore, type Stored } from "./ConversationStore.ts"
import { Identities } from "./Identities.ts"
import { sendOffer } from "./TelegramWork.ts"

export interface Turn {
  readonly event: ConversationEvent
  /** Where it comes from: the page gets its answer by the request, other listeners by events and messages. */
  readonly via: "web" | "telegram" | "system"
  /** The customer's words, filtered. */
  readonly words?: { readonly text: string; readonly clientId: string }
  /** Sealed if the core takes it. */
  readonly botToken?: Redacted.Redacted<string>
  /** A question of the core's in a model's words. */
  readonly phrase?: { readonly question: string; readonly as: string }
  /** Model calls made for it, and the UTC day. */
  readonly model?: { readonly day: string; readonly calls: number }
}

export interface Applied {
  readonly accountId: CustomerId
  readonly added: ReadonlyArray<Message>
  /** An order whose payment page is to be opened now. */
  readonly checkout: OrderId | undefined
}

const spent = (state: State, model: Turn["model"]): State["model"] =>
  model === undefined
    ? state.model
    : { day: model.day, calls: (state.model.day === model.day ? state.model.calls : 0) + model.calls }

const phrased = (reply: Reply, phrase: Turn["phrase"]): Reply =>
  phrase !== undefined && phrase.question === reply.question ? { ...reply, question: phrase.as } : reply

export class Turns extends Context.Service<
  Turns,
  { take(id: ConversationId, turn: Turn): Effect.Effect<Applied, NotFound | SqlError> }
>()("@berth/control/Turns") {
  static readonly layer: Layer.Layer<
    Turns,
    never,
    | SqlClient
    | SecureRandom.SecureRandom
    | Work
    | Orders
    | CustomerEvents
    | AgentSecrets
    | ConversationStore
    | Cards
    | Identities
    | Audit
  > = Layer.effect(
    Turns,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const random = yield* SecureRandom.SecureRandom
      const work = yield* Work
      const orders = yield* Orders
      const events = yield* CustomerEvents
      const secrets = yield* AgentSecrets
      const store = yield* ConversationStore
      const cards = yield* Cards
      const identities = yield* Identities
      const services = yield* Effect.context<SqlClient | Audit>()

      const place = Effect.fn("Turns.place")(function* ({ accountId, id }: Stored, state: State) {
        const { bot, email, messagesPerDay, telegram, useCase } = state.facts
        if (bot === null || email === null || telegram === null || state.offered === null) {
          return yield* Effect.die(`conversation ${id} orders with facts missing`)
        }
        const { expectedTokens } = advise(messagesPerDay ?? 1, state.offered)
        return yield* orders.place({
          id: OrderId.make(yield* random.uuidV7()),
          accountId,
          conversationId: id,
          tier: state.offered,
          facts: { useCase, messagesPerDay, expectedTokens },
          email,
          telegramUserId: telegram.userId,
          botUsername: bot.username,
        })
      })

      const replaceBotToken = Effect.fn("Turns.replaceBotToken")(function* (
        accountId: CustomerId,
        username: string,
        token: Turn["botToken"],
      ) {
        const [agent] = yield* sql<{ readonly bot: string }>`
          SELECT desired -> 'telegram' ->> 'botUsername' AS bot FROM agents
          WHERE customer_id = ${accountId} AND phase <> 'deleted'`
        if (agent === undefined || token === undefined || agent.bot.toLowerCase() !== username.toLowerCase())
          return { _tag: "OtherBot", username: agent?.bot ?? null } satisfies ConversationEvent as ConversationEvent
        yield* secrets.put(accountId, "botToken", token)
        yield* AgentRequests.ask(accountId, "new-bot-token", "customer", "sent in the chat").pipe(
          Effect.provideContext(services),
        )
        return { _tag: "BotTokenReplaced" } satisfies ConversationEvent as ConversationEvent
      })

      /** Does what the core asked for; what that leads to is decided by the core again. */
      const perform = Effect.fn("Turns.perform")(function* (
        conversation: Stored,
        state: State,
        effect: ConversationEffect,
        turn: Turn,
      ) {
        switch (effect._tag) {
          case "SealBotToken": {
            if (turn.botToken !== undefined) yield* secrets.put(conversation.accountId, "botToken", turn.botToken)
            return undefined
          }
          case "ReplaceBotToken":
            return step(state, yield* replaceBotToken(conversation.accountId, effect.username, turn.botToken))
          case "BindTelegram": {
            yield* identities.bind(effect.person, conversation.accountId)
            const hello = "This is you, then. You can go on here or on the page."
            yield* work.offer(
              sendOffer(effect.person.userId, `bind:${conversation.id}:${effect.person.userId}`, hello, []),
            )
            return undefined
          }
          case "PlaceOrder": {
            const event = yield* place(conversation, state).pipe(
              Effect.map(({ id }) => ({ _tag: "OrderPlaced", orderId: id }) as const),
              Effect.catchTag("AlreadyCustomer", ({ _tag, orderId }) => Effect.succeed({ _tag, orderId } as const)),
            )
            return step(state, event)
          }
          case "OpenCheckout":
            return undefined
        }
      })

      /** Other listeners than the one who asked: open pages by events, a linked Telegram chat by a message. */
      const spread = Effect.fn("Turns.spread")(function* (
        { accountId, id }: Stored,
        state: State,
        turn: Turn,
        added: ReadonlyArray<Message>,
      ) {
        if (turn.via === "web") return
        for (const message of added) {
          yield* events.append(accountId, `message:${id}:${message.seq}`, {
            _tag: "message",
            conversationId: id,
            message,
          })
          if (message.role === "assistant" && state.telegramChat !== null) {
            const source = `${id}:${message.seq}`
            yield* work.offer(sendOffer(state.telegramChat, source, message.text, message.cards))
          }
        }
      })

      const take = Effect.fn("Turns.take")(function* (id: ConversationId, turn: Turn) {
        const locked = yield* store.lock(id)
        if (Option.isNone(locked)) return yield* new NotFound({ message: "There is no such conversation." })
        const conversation = locked.value
        const { accountId } = conversation
        if (turn.words !== undefined) {
          const said = yield* store.saidWith(id, turn.words.clientId)
          if (said.length > 0) return { accountId, added: said, checkout: undefined }
        }
        const outcome = step(conversation.state, turn.event)
        let state: State = { ...outcome.state, model: spent(outcome.state, turn.model) }
        const replies = [...outcome.replies]
        const due = [...outcome.effects]
        let checkout: OrderId | undefined
        for (let effect = due.shift(); effect !== undefined; effect = due.shift()) {
          if (effect._tag === "OpenCheckout") checkout = OrderId.make(effect.orderId)
          const next = yield* perform(conversation, state, effect, turn)
          if (next === undefined) continue
          state = next.state
          replies.push(...next.replies)
          due.push(...next.effects)
        }
        const words = turn.words
        const added = yield* store.append(id, [
          ...(words === undefined
            ? []
            : [{ role: "user" as const, text: words.text, cards: [], clientId: words.clientId }]),
          ...(yield* Effect.forEach(replies, (reply) =>
            Effect.map(cards.resolve(accountId, id, reply.cards), (resolved) => ({
              role: "assistant" as const,
              text: textOf(phrased(reply, turn.phrase)),
              cards: resolved,
              clientId: null,
            })),
          )),
        ])
        yield* store.save(id, state)
        yield* spread(conversation, state, turn, added)
        return { accountId, added, checkout }
      })

      return Turns.of({
        take: (id, turn) =>
          sql
            .withTransaction(take(id, turn))
            .pipe(Effect.tap(({ accountId }) => (turn.via === "web" ? Effect.void : events.announce(accountId)))),
      })
    }),
  )
}
