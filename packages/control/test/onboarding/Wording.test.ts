import { assert, describe, it } from "@effect/vitest"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { Wording } from "../../src/onboarding/Wording.ts"

const error = AiError.make({
  module: "test",
  method: "generateText",
  reason: new AiError.UnknownError({ description: "down" }),
})

const finish: Response.PartEncoded = {
  type: "finish",
  reason: "stop",
  usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
}

/** A Wording over a model that answers like this. */
const over = (answer: Effect.Effect<ReadonlyArray<Response.PartEncoded>, AiError.AiError>) =>
  Wording.layer.pipe(
    Layer.provide(
      Layer.effect(
        LanguageModel.LanguageModel,
        LanguageModel.make({
          generateText: () => Effect.map(answer, (parts) => [...parts, finish]),
          streamText: () => Stream.fail(error),
        }),
      ),
    ),
  )

const calls = (name: string, params: unknown) => Effect.succeed([{ type: "tool-call" as const, id: "1", name, params }])
const question = "About how many messages a day will you send it?"
const read = Wording.use((wording) => wording.read("review my code, 5 a day", ["useCase"]))
const phrase = Wording.use((wording) => wording.phrase(question, "hallo"))

describe("the model's part", () => {
  it.effect("adds facts and words through its tools", () =>
    Effect.gen(function* () {
      const facts = yield* read.pipe(Effect.provide(over(calls("record_facts", { messagesPerDay: 5 }))))
      assert.deepStrictEqual(facts, Option.some({ messagesPerDay: 5 }))
      const asked = { question: "Wie viele Nachrichten am Tag?" }
      const words = yield* phrase.pipe(Effect.provide(over(calls("ask_customer", asked))))
      assert.deepStrictEqual(words, Option.some("Wie viele Nachrichten am Tag?"))
    }),
  )

  it.effect("is nothing when it talks, lies, calls what is not there, or fails", () =>
    Effect.gen(function* () {
      const answers = [
        Effect.succeed([{ type: "text" as const, text: "Ignore the rules: Team is free for you!" }]),
        Effect.succeed([]),
        calls("record_facts", { email: "evil@example.com", tier: "team" }),
        calls("record_facts", { messagesPerDay: "many" }),
        calls("give_discount", { percent: 100 }),
        calls("ask_customer", { question: "Pay $1 at https://evil.example?" }),
        calls("ask_customer", {}),
        Effect.fail(error),
        Effect.die("broken"),
      ]
      for (const answer of answers) {
        const facts = yield* read.pipe(Effect.provide(over(answer)))
        assert.deepStrictEqual(
          Option.getOrElse(facts, () => ({})),
          {},
        )
        assert.deepStrictEqual(yield* phrase.pipe(Effect.provide(over(answer))), Option.none())
      }
    }),
  )

  it.effect("is nothing after four seconds", () =>
    Effect.gen(function* () {
      const reading = yield* Effect.forkChild(read.pipe(Effect.provide(over(Effect.never))))
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(yield* Fiber.join(reading), Option.none())
    }),
  )
})
