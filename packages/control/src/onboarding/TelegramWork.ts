/** The rows of the queue "telegram": updates on their way in, messages on their way out; one lane a chat. */
import type { Offer } from "@berth/domain/Work"
import * as Schema from "effect/Schema"
import { Card } from "../api/Messages.ts"
import type { Button } from "./Telegram.ts"
import { Update } from "./Telegram.ts"

export const TelegramWork = Schema.Union([
  /** Its text is filtered already. */
  Schema.TaggedStruct("update", { update: Update }),
  Schema.TaggedStruct("send", { chatId: Schema.String, text: Schema.String, cards: Schema.Array(Card) }),
  Schema.TaggedStruct("delete", { chatId: Schema.String, messageId: Schema.Int }),
])
export type TelegramWork = typeof TelegramWork.Type

const offer = (id: string, chatId: string, payload: TelegramWork): Offer => ({
  id: `telegram:${id}`,
  queue: "telegram",
  lane: chatId,
  payload,
})

/** `source` names the cause, so that it is sent once. */
export const sendOffer = (chatId: string, source: string, text: string, cards: ReadonlyArray<Card>): Offer =>
  offer(`send:${source}`, chatId, { _tag: "send", chatId, text, cards })

export const updateOffer = (chatId: string, update: Update): Offer =>
  offer(`update:${update.update_id}`, chatId, { _tag: "update", update })

export const deleteOffer = (chatId: string, messageId: number): Offer =>
  offer(`delete:${chatId}:${messageId}`, chatId, { _tag: "delete", chatId, messageId })

/** What Telegram takes as the data of a button. */
const fits = (text: string): boolean => Buffer.byteLength(text) <= 64

const buttonsOf = (card: Card): ReadonlyArray<Button> => {
  switch (card._tag) {
    case "Choices":
      return card.options.filter(({ send }) => fits(send)).map(({ label, send }) => ({ text: label, send }))
    case "Offer":
      return card.alternatives.map(({ headline, tier }) => ({ text: headline, send: `I would rather take ${tier}` }))
    case "Checkout":
      return [{ text: `Pay ${card.headline}`, url: card.url }]
    case "BotFatherLink":
      return [{ text: "Open BotFather", url: card.url }]
    case "Live":
      return [{ text: `Message @${card.botUsername}`, url: card.url }]
    case "TelegramLink":
      return [{ text: "Open Telegram", url: card.url }]
  }
}

/** The plain answers come first: "yes" before the alternatives. */
export const keyboardOf = (cards: ReadonlyArray<Card>): ReadonlyArray<Button> =>
  cards.toSorted((a, b) => Number(b._tag === "Choices") - Number(a._tag === "Choices")).flatMap(buttonsOf)
