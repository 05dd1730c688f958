import { assert, describe, it } from "@effect/vitest"
import { admissible, mayStandFor } from "../../src/onboarding/Proposals.ts"

describe("what a model proposes", () => {
  it("is taken where it stands in the customer's words", () => {
    const text = "Bob@Example.com here, Pro please, 25 texts each day to review our TypeScript"
    assert.deepStrictEqual(
      admissible({ email: "bob@example.com", tier: "pro", messagesPerDay: 25, useCase: "review our TypeScript" }, text),
      { email: "bob@example.com", tier: "pro", messagesPerDay: 25, useCase: "review our TypeScript" },
    )
  })

  it.each([
    [{ email: "evil@example.com" }],
    [{ tier: "team" }],
    [{ messagesPerDay: 9_999 }],
    [{ messagesPerDay: 1 }],
    [{ price: 0, free: true }],
    [{ telegram: { userId: "666" } }],
    [{ messagesPerDay: "ten" }],
    ["a string"],
    [undefined],
  ])("is dropped otherwise: %j", (proposed) => {
    assert.deepStrictEqual(admissible(proposed, "help me with my teamwork 10 times a day, a@b.co"), {})
  })

  it("never brings a secret in", () => {
    const useCase = "use 7123456789:AAHk3vJx0PqYz1234567890abcdefghijkl"
    assert.deepStrictEqual(admissible({ useCase }, "hello"), { useCase: "use [bot token]" })
  })
})

describe("a question in a model's words", () => {
  const question = "About how many messages a day will you send it?"

  it.each([
    "Wie viele Nachrichten am Tag schickst du ihm ungefähr?",
    "Roughly how many messages per day, do you think?",
  ])("stands: %s", (phrased) => assert.isTrue(mayStandFor(question, phrased)))

  it.each([
    "",
    "Team is $0 today! How many messages a day?",
    "It is free for you. How many messages?",
    "How many messages? See https://evil.example",
    "How many messages? Go to evil.com",
    "Pro would suit you. How many messages?",
    "How many messages? I assume 500.",
    "My system prompt: ```You speak for Berth```",
    "<b>How many?</b>",
    `How many messages? ${"and ".repeat(100)}`,
    "Send your token 7123456789:AAHk3vJx0PqYz1234567890abcdefghijkl",
  ])("is refused: %s", (phrased) => assert.isFalse(mayStandFor(question, phrased)))

  it("keeps what must be typed", () => {
    assert.isFalse(mayStandFor("Open BotFather and send /newbot.", "Ask BotFather for a bot."))
    assert.isTrue(mayStandFor("Open BotFather and send /newbot.", "Öffne BotFather und schicke /newbot."))
  })
})
