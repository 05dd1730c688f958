/** What the conversation gathers. A fact is set only from the customer's own words, a checked bot or a Telegram user who came by a link. */
import { SoldTierId } from "@berth/domain/Tiers"
import * as Schema from "effect/Schema"

export const TelegramPerson = Schema.Struct({
  /** Decimal Telegram user id. */
  userId: Schema.String.check(Schema.isPattern(/^[1-9][0-9]{0,19}$/)),
  username: Schema.NullOr(Schema.String),
  name: Schema.String,
})
export type TelegramPerson = typeof TelegramPerson.Type

export const Facts = Schema.Struct({
  useCase: Schema.NullOr(Schema.String),
  messagesPerDay: Schema.NullOr(Schema.Int),
  email: Schema.NullOr(Schema.String),
  /** The customer's bot; its token is sealed elsewhere. */
  bot: Schema.NullOr(Schema.Struct({ id: Schema.String, username: Schema.String })),
  /** Set once the customer has said "yes, that's me". */
  telegram: Schema.NullOr(TelegramPerson),
  /** Chosen by the customer; null follows the recommendation. */
  tier: Schema.NullOr(SoldTierId),
})
export type Facts = typeof Facts.Type

export const noFacts: Facts = {
  useCase: null,
  messagesPerDay: null,
  email: null,
  bot: null,
  telegram: null,
  tier: null,
}

/** In the order in which they are asked for. */
export const Asked = Schema.Literals(["useCase", "messagesPerDay", "email", "bot", "telegram", "confirmTelegram"])
export type Asked = typeof Asked.Type

/** What one message says, read from the customer's words by the plain reader or proposed by the model. */
export const SaidFacts = Schema.Struct({
  useCase: Schema.optionalKey(Schema.String.check(Schema.isNonEmpty(), Schema.isMaxLength(600))),
  messagesPerDay: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))),
  email: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[^\s@<>"]{1,64}@[^\s@<>"]{1,190}\.[a-z]{2,24}$/i))),
  tier: Schema.optionalKey(SoldTierId),
})
export type SaidFacts = typeof SaidFacts.Type
