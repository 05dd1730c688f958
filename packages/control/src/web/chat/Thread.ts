/**
 * What the conversation shows, from what the server stored, what the event stream told and what was just typed. Pure.
 * Invariant: every message stands once, in its place, however many ways it came in.
 */
import type { Conversation, Message } from "../../api/Messages.ts"
import type { Journey } from "../live/Journey.ts"

/** Words on their way. `clientId` stays the same over every attempt, so that they are said once. */
export interface Pending {
  readonly clientId: string
  readonly text: string
  /** How many messages stood when it was typed: what is stored later may be this one. */
  readonly after: number
  readonly failure: string | null
}

export type Item =
  | { readonly _tag: "Message"; readonly message: Message; readonly isLast: boolean }
  | { readonly _tag: "Pending"; readonly pending: Pending }
  | { readonly _tag: "Provisioning" }

/** The newer of two views of the same conversation. A slow answer must not take back what a later one showed. */
export const newer = (before: Conversation | undefined, after: Conversation): Conversation =>
  before === undefined || before.id !== after.id || after.messages.length >= before.messages.length ? after : before

const stored = (conversation: Conversation, journey: Journey): ReadonlyArray<Message> => {
  const bySeq = new Map<number, Message>()
  for (const told of journey.messages) {
    if (told.conversationId === conversation.id) bySeq.set(told.message.seq, told.message)
  }
  for (const message of conversation.messages) bySeq.set(message.seq, message)
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq)
}

/** Another tab or the stream can show our own words before our call returns; they must not stand twice meanwhile. */
const isStored = (pending: Pending, messages: ReadonlyArray<Message>): boolean =>
  pending.failure === null &&
  messages.some((message) => message.role === "user" && message.seq > pending.after && message.text === pending.text)

/** The setting up stands last while it runs, and above the news that the agent is live once it is. */
const provisioningPlace = (messages: ReadonlyArray<Message>, { paidAt, live }: Journey): number => {
  const isNews = (message: Message) => message.at > (paidAt ?? 0) && message.cards.some(({ _tag }) => _tag === "Live")
  const news = messages.findIndex(isNews)
  if (news !== -1) return news
  const later = live === null ? -1 : messages.findIndex(({ at }) => at >= live.at)
  return later === -1 ? messages.length : later
}

/** A message's words without those that its offer card says again. */
export const wordsOf = ({ text, cards }: Message): string => {
  const offer = cards.find((card) => card._tag === "Offer")
  if (offer === undefined || !text.includes(offer.reason)) return text
  return text
    .replace(offer.reason, "")
    .replace(/[ \t]+(?=\n|$)/g, "")
    .trim()
}

export const items = (
  conversation: Conversation,
  journey: Journey,
  pending: ReadonlyArray<Pending>,
): ReadonlyArray<Item> => {
  const messages = stored(conversation, journey)
  const waiting = pending.filter((each) => !isStored(each, messages))
  const lastSeq = messages.at(-1)?.seq
  const shown = messages.map((message): Item => ({ _tag: "Message", message, isLast: message.seq === lastSeq }))
  if (journey.paidAt !== null) shown.splice(provisioningPlace(messages, journey), 0, { _tag: "Provisioning" })
  return [...shown, ...waiting.map((each): Item => ({ _tag: "Pending", pending: each }))]
}
