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

export const items = (
  conversation: Conversation,
  journey: Journey,
  pending: ReadonlyArray<Pending>,
): ReadonlyArray<Item> => {
  const messages = stored(conversation, journey)
  const waiting = pending.filter((each) => !isStored(each, messages))
  const lastSeq = messages.at(-1)?.seq
  const { paidAt } = journey
  const shown = messages.map((message): Item => ({ _tag: "Message", message, isLast: message.seq === lastSeq }))
  if (paidAt !== null) {
    const at = messages.findIndex((message) => message.at > paidAt)
    shown.splice(at === -1 ? shown.length : at, 0, { _tag: "Provisioning" })
  }
  return [...shown, ...waiting.map((each): Item => ({ _tag: "Pending", pending: each }))]
}
