/** What a conversation shows: words, and cards that a page draws and Telegram turns into buttons. Shared with the browser. */
import { SoldTierId } from "@berth/domain/Tiers"
import * as Schema from "effect/Schema"

export const Card = Schema.Union([
  /** Answers that can be given with a tap; `send` is said in the customer's name. */
  Schema.TaggedStruct("Choices", {
    options: Schema.Array(Schema.Struct({ label: Schema.String, send: Schema.String })),
  }),
  /** The offer: what is recommended and why, and what else could be had. */
  Schema.TaggedStruct("Offer", {
    tier: SoldTierId,
    headline: Schema.String,
    reason: Schema.String,
    expectedTokens: Schema.Int,
    alternatives: Schema.Array(Schema.Struct({ tier: SoldTierId, headline: Schema.String })),
  }),
  /** Opening this in Telegram proves which Telegram user is talking. Single use. */
  Schema.TaggedStruct("TelegramLink", { url: Schema.String, expiresAt: Schema.Int }),
  /** Where to make a bot and get its token. */
  Schema.TaggedStruct("BotFatherLink", { url: Schema.String }),
  Schema.TaggedStruct("Checkout", { orderId: Schema.String, headline: Schema.String, url: Schema.String }),
  Schema.TaggedStruct("Live", { botUsername: Schema.String, url: Schema.String }),
])
export type Card = typeof Card.Type

export const Message = Schema.Struct({
  /** Counts within the conversation, from 1. */
  seq: Schema.Int,
  role: Schema.Literals(["user", "assistant"]),
  text: Schema.String,
  cards: Schema.Array(Card),
  /** Epoch ms. */
  at: Schema.Int,
})
export type Message = typeof Message.Type

export const Conversation = Schema.Struct({
  id: Schema.String,
  channel: Schema.Literals(["web", "telegram"]),
  /** What the conversation waits for. */
  stage: Schema.Literals(["gathering", "offered", "checkout", "paid", "live", "failed"]),
  orderId: Schema.NullOr(Schema.String),
  messages: Schema.Array(Message),
})
export type Conversation = typeof Conversation.Type
