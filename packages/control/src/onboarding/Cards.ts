/** Gives cards their addresses: one-time links, the way to BotFather, the customer's bot. */
import type { ConversationId, CustomerId } from "@berth/domain/Ids"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SqlError } from "effect/sql/SqlError"
import type { Card } from "../api/Messages.ts"
import { Site } from "../api/Site.ts"
import type { CardDraft } from "./Conversation/State.ts"
import { LinkCodes } from "./LinkCodes.ts"
import { PlatformBot } from "./PlatformBot.ts"

export class Cards extends Context.Service<
  Cards,
  {
    /** Joins the caller's transaction: a link's code is stored with the message that shows it. */
    resolve(
      accountId: CustomerId,
      id: ConversationId,
      drafts: ReadonlyArray<CardDraft>,
    ): Effect.Effect<ReadonlyArray<Card>, SqlError>
  }
>()("@berth/control/Cards") {
  static readonly layer: Layer.Layer<Cards, never, LinkCodes | Site | PlatformBot> = Layer.effect(
    Cards,
    Effect.gen(function* () {
      const codes = yield* LinkCodes
      const { telegram } = yield* Site
      const platform = yield* PlatformBot
      const one = Effect.fnUntraced(function* (accountId: CustomerId, id: ConversationId, draft: CardDraft) {
        switch (draft._tag) {
          case "TelegramLink": {
            const { code, expiresAt } = yield* codes.mint(accountId, id)
            return { _tag: "TelegramLink", url: telegram.bot(yield* platform.username, code), expiresAt } as const
          }
          case "BotFatherLink":
            return { _tag: "BotFatherLink", url: telegram.botFather } as const
          case "Live":
            return { ...draft, url: telegram.bot(draft.botUsername) }
          default:
            return draft
        }
      })
      return Cards.of({
        resolve: Effect.fn("Cards.resolve")((accountId, id, drafts) =>
          Effect.forEach(drafts, (draft): Effect.Effect<Card, SqlError> => one(accountId, id, draft)),
        ),
      })
    }),
  )
}
