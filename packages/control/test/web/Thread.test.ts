import { assert, describe, it } from "@effect/vitest"
import type { Conversation, Message } from "../../src/api/Messages.ts"
import { start, type Journey } from "../../src/web/live/Journey.ts"
import { items, newer, wordsOf, type Item, type Pending } from "../../src/web/chat/Thread.ts"

const message = (seq: number, role: Message["role"] = "assistant", text = `${seq}`): Message => ({
  seq,
  role,
  text,
  cards: [],
  at: seq * 1_000,
})
const conversation = (...messages: ReadonlyArray<Message>): Conversation => ({
  id: "c",
  channel: "web",
  stage: "gathering",
  orderId: null,
  messages,
})
const told = (...messages: ReadonlyArray<Message>): Journey => ({
  ...start,
  messages: messages.map((each) => ({ conversationId: "c", message: each })),
})
const pending = (text: string, after: number, failure: string | null = null): Pending => ({
  clientId: text,
  text,
  after,
  failure,
})
const shape = (shown: ReadonlyArray<Item>) =>
  shown.map((item) => {
    if (item._tag === "Message") return item.message.seq
    return item._tag === "Pending" ? item.pending.text : item._tag
  })

describe("Thread", () => {
  it("shows each message once, in its place, however it came in", () => {
    const shown = items(conversation(message(1), message(2)), told(message(2), message(3)), [])
    assert.deepStrictEqual(shape(shown), [1, 2, 3])
  })

  it("shows no message of another conversation", () => {
    const other = { ...told(), messages: [{ conversationId: "d", message: message(9) }] }
    assert.deepStrictEqual(shape(items(conversation(message(1)), other, [])), [1])
  })

  it("shows words on their way last, and not beside their stored self", () => {
    const before = conversation(message(1))
    assert.deepStrictEqual(shape(items(before, start, [pending("hi", 1)])), [1, "hi"])
    const after = conversation(message(1), message(2, "user", "hi"))
    assert.deepStrictEqual(shape(items(after, start, [pending("hi", 1)])), [1, 2])
  })

  it("shows words again that were also said before", () => {
    const before = conversation(message(1, "user", "yes"), message(2))
    assert.deepStrictEqual(shape(items(before, start, [pending("yes", 2)])), [1, 2, "yes"])
  })

  it("keeps words that could not be sent until the customer decides", () => {
    const stored = conversation(message(1, "user", "hi"))
    assert.deepStrictEqual(shape(items(stored, start, [pending("hi", 0, "offline")])), [1, "hi"])
  })

  it("keeps the setting up last while it runs, and above the news that the agent is live", () => {
    const paid = { ...start, paidAt: 1_500 }
    const talk = [message(1), message(2), message(3)]
    assert.deepStrictEqual(shape(items(conversation(...talk), paid, [])), [1, 2, 3, "Provisioning"])
    const news: Message = { ...message(4), cards: [{ _tag: "Live", botUsername: "b", url: "https://t.me/b" }] }
    const live = { ...paid, live: { botUsername: "b", at: 3_900 } }
    const shown = items(conversation(...talk, news, message(5)), live, [])
    assert.deepStrictEqual(shape(shown), [1, 2, 3, "Provisioning", 4, 5])
    const plain = items(conversation(...talk, message(4)), live, [])
    assert.deepStrictEqual(shape(plain), [1, 2, 3, "Provisioning", 4])
  })

  it("does not say beside an offer what its card says, and leaves all other words alone", () => {
    const reason = "About 3 a day ≈ 1M."
    const offer: Message = {
      ...message(1, "assistant", `Here's your setup: Pro. ${reason}\n\nShall I?`),
      cards: [{ _tag: "Offer", tier: "pro", headline: "Pro", reason, expectedTokens: 1, alternatives: [] }],
    }
    assert.strictEqual(wordsOf(offer), "Here's your setup: Pro.\n\nShall I?")
    assert.strictEqual(wordsOf({ ...offer, text: "Other words" }), "Other words")
    assert.strictEqual(wordsOf({ ...offer, cards: [] }), offer.text)
  })

  it("lets only the newest message be answered by a tap", () => {
    const shown = items(conversation(message(1), message(2)), start, [])
    assert.deepStrictEqual(
      shown.map((item) => item._tag === "Message" && item.isLast),
      [false, true],
    )
  })

  it("never goes back to an older view of the same conversation", () => {
    const long = conversation(message(1), message(2))
    const short = conversation(message(1))
    assert.strictEqual(newer(long, short), long)
    assert.strictEqual(newer(short, long), long)
    const other = { ...short, id: "d" }
    assert.strictEqual(newer(long, other), other)
    assert.strictEqual(newer(undefined, short), short)
  })
})
