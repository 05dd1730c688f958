/** Where a conversation stands, what may happen to it and what it asks of the world. Everything is a tagged type. */
import { Step } from "@berth/domain/Lifecycle"
import { SoldTierId } from "@berth/domain/Tiers"
import * as Schema from "effect/Schema"
import type { CustomerEvent } from "../../api/Events.ts"
import type { Card } from "../../api/Messages.ts"
import { Asked, Facts, noFacts, type SaidFacts, TelegramPerson } from "../Facts.ts"
import type { Intent } from "../PlainFacts.ts"
import type { SecretKind } from "../SecretFilter.ts"

export const Stage = Schema.Literals(["gathering", "offered", "checkout", "paid", "live", "failed"])
export type Stage = typeof Stage.Type

export const State = Schema.Struct({
  v: Schema.Literal(1),
  channel: Schema.Literals(["web", "telegram"]),
  stage: Stage,
  facts: Facts,
  /** What the last question asked for; decides how a bare answer is read. */
  asked: Schema.Array(Asked),
  /** Came by the link and waits for "yes, that's me". */
  pendingTelegram: Schema.NullOr(TelegramPerson),
  /** The tier of the offer that stands. */
  offered: Schema.NullOr(SoldTierId),
  orderId: Schema.NullOr(Schema.String),
  /** The payment page of the order; null while it could not be opened. */
  checkoutUrl: Schema.NullOr(Schema.String),
  /** The last step of provisioning that was reported. */
  lastStep: Schema.NullOr(Step),
  /** The private chat with Berth's bot that follows along. */
  telegramChat: Schema.NullOr(Schema.String),
  /** Customer events up to this seq have been told. */
  followed: Schema.Int,
  /** Model calls made on a UTC day. */
  model: Schema.Struct({ day: Schema.String, calls: Schema.Int }),
})
export type State = typeof State.Type

export const initial = (channel: State["channel"]): State => ({
  v: 1,
  channel,
  stage: "gathering",
  facts: noFacts,
  asked: [],
  pendingTelegram: null,
  offered: null,
  orderId: null,
  checkoutUrl: null,
  lastStep: null,
  telegramChat: null,
  followed: 0,
  model: { day: "", calls: 0 },
})

/** What the live check of a pasted bot token found; the token itself never comes here. */
export type BotCheck =
  | { readonly _tag: "Accepted"; readonly id: string; readonly username: string }
  | {
      readonly _tag: "Refused"
      readonly reason: "unknown" | "notBot" | "otherId" | "inUse" | "platform" | "unreachable"
    }

export type ConversationEvent =
  /** `person` when it begins in Telegram, where everybody is known. */
  | { readonly _tag: "Opened"; readonly person: TelegramPerson | null }
  | {
      readonly _tag: "Said"
      readonly via: State["channel"]
      readonly facts: SaidFacts
      readonly intent: Intent
      readonly bot: BotCheck | null
      readonly removed: ReadonlyArray<SecretKind>
    }
  /** Somebody opened the link and pressed Start. */
  | { readonly _tag: "TelegramOpened"; readonly person: TelegramPerson }
  | { readonly _tag: "OrderPlaced"; readonly orderId: string }
  /** The account has a paid order already. */
  | { readonly _tag: "AlreadyCustomer"; readonly orderId: string }
  /** The agent goes on with the token that was sent. */
  | { readonly _tag: "BotTokenReplaced" }
  /** The token that was sent is another bot's; `username` is the agent's own bot, null while there is no agent. */
  | { readonly _tag: "OtherBot"; readonly username: string | null }
  | { readonly _tag: "CheckoutOpened"; readonly orderId: string; readonly url: string }
  | { readonly _tag: "CheckoutFailed"; readonly orderId: string }
  /** Something that the customer is told, in order. */
  | { readonly _tag: "Told"; readonly event: CustomerEvent }

/** Applied in the transaction that stores the new state, but for `OpenCheckout`, which follows it. */
export type ConversationEffect =
  | { readonly _tag: "SealBotToken" }
  /** Of an agent that there is: seals the token and has the agent restarted with it, if it is that of its own bot. */
  | { readonly _tag: "ReplaceBotToken"; readonly username: string }
  | { readonly _tag: "BindTelegram"; readonly person: TelegramPerson }
  | { readonly _tag: "PlaceOrder"; readonly tier: SoldTierId }
  | { readonly _tag: "OpenCheckout"; readonly orderId: string }

/** A card before it has its address: links are made when the message is stored. */
export type CardDraft =
  | Extract<Card, { _tag: "Choices" | "Offer" | "Checkout" }>
  | { readonly _tag: "TelegramLink" }
  | { readonly _tag: "BotFatherLink" }
  | { readonly _tag: "Live"; readonly botUsername: string }

export interface Reply {
  /** The core's own words: whatever holds a price, a tier, a link or a promise. */
  readonly statement: string
  /** What it asks. A model may say this in other words. */
  readonly question: string
  readonly cards: ReadonlyArray<CardDraft>
}

export interface Outcome {
  readonly state: State
  readonly replies: ReadonlyArray<Reply>
  readonly effects: ReadonlyArray<ConversationEffect>
}

export const textOf = (reply: Reply): string =>
  [reply.statement, reply.question].filter((part) => part !== "").join("\n\n")

export const choices = (...options: ReadonlyArray<readonly [label: string, send: string]>): CardDraft => ({
  _tag: "Choices",
  options: options.map(([label, send]) => ({ label, send })),
})
