/**
 * What an update of a private chat with Berth's bot means: a link's code, or words in the person's conversation. Safe to
 * repeat: words carry the update's id as their client id, a code is spent with its effect. Answers go out by the queue.
 */
import type { ConversationId, CustomerId } from "@berth/domain/Ids"
import { Work } from "@berth/domain/Work"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Sessions } from "../api/Sessions.ts"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import type { TelegramPerson } from "./Facts.ts"
import { Identities } from "./Identities.ts"
import { LinkCodes } from "./LinkCodes.ts"
import { Onboarding } from "./Onboarding.ts"
import type { Update } from "./Telegram.ts"
import { sendOffer } from "./TelegramWork.ts"

const personOf = (from: NonNullable<Update["message"]>["from"]): TelegramPerson => ({
  userId: String(from.id),
  username: from.username ?? null,
  name: from.first_name,
})

export class TelegramTalk extends Context.Service<
  TelegramTalk,
  { handle(update: Update): Effect.Effect<void, SqlError> }
>()("@berth/control/TelegramTalk") {
  static readonly layer: Layer.Layer<
    TelegramTalk,
    never,
    SqlClient | Work | Sessions | Identities | LinkCodes | Onboarding | CustomerEvents
  > = Layer.effect(
    TelegramTalk,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const work = yield* Work
      const sessions = yield* Sessions
      const identities = yield* Identities
      const codes = yield* LinkCodes
      const onboarding = yield* Onboarding
      const events = yield* CustomerEvents

      const answer = (person: TelegramPerson, update: Update, text: string) =>
        work.offer(sendOffer(person.userId, `answer:${update.update_id}`, text, []))

      /** The code is spent, and the conversation told, together or not at all. */
      const link = Effect.fn("TelegramTalk.link")(function* (person: TelegramPerson, code: string, update: Update) {
        const linked = yield* sql.withTransaction(
          Effect.gen(function* () {
            const spent = yield* codes.spend(code)
            if (Option.isNone(spent)) {
              yield* answer(person, update, "This link was used or is too old. Ask for a new one on the page.")
              return undefined
            }
            const { accountId, conversationId } = spent.value
            yield* onboarding
              .tell(conversationId, { _tag: "TelegramOpened", person })
              .pipe(Effect.catchTag("NotFound", () => Effect.void))
            const thanks =
              `Thanks, ${person.name}. Now go back to the page and confirm that this is you. ` +
              "If you did not start there yourself, do nothing: somebody sent you their link."
            yield* answer(person, update, thanks)
            return accountId
          }),
        )
        if (linked !== undefined) yield* events.announce(linked)
      })

      const accountOf = Effect.fn("TelegramTalk.accountOf")(function* (person: TelegramPerson) {
        const known = yield* identities.find(person.userId)
        if (Option.isSome(known)) return known.value
        const accountId = yield* sessions.openAccount
        yield* identities.bind(person, accountId)
        return accountId
      })

      const say = Effect.fn("TelegramTalk.say")(function* (
        accountId: CustomerId,
        id: string,
        text: string,
        person: TelegramPerson,
        update: Update,
      ) {
        yield* onboarding.say(accountId, id, { text, clientId: `telegram:${update.update_id}`, via: "telegram" }).pipe(
          Effect.catchTags({
            Rejected: ({ message }) => answer(person, update, message),
            NotFound: () => Effect.void,
          }),
        )
      })

      const handle = Effect.fn("TelegramTalk.handle")(function* (update: Update) {
        const from = update.message?.from ?? update.callback_query?.from
        if (from === undefined) return
        const person = personOf(from)
        const text = (update.message?.text ?? update.callback_query?.data ?? "").trim()
        const code = /^\/start ([A-Za-z0-9_-]{10,64})$/.exec(text)?.[1]
        if (code !== undefined) return yield* link(person, code, update)
        const accountId = yield* sql.withTransaction(accountOf(person))
        const conversation = yield* onboarding.open(accountId, person)
        if (text === "") {
          yield* answer(person, update, "I can read text only. Please write it.")
        } else if (/^\/start\b/.test(text)) {
          // A conversation that began with this very message has greeted already.
          const last = conversation.messages.findLast((message) => message.role === "assistant")
          if (conversation.messages.length > 1 && last !== undefined) {
            yield* work.offer(sendOffer(person.userId, `answer:${update.update_id}`, last.text, last.cards))
          }
        } else yield* say(accountId, conversation.id as ConversationId, text, person, update)
      })

      return TelegramTalk.of({ handle })
    }),
  )
}
