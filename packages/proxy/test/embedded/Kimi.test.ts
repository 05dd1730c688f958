import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { factsIn } from "../../src/embedded/Kimi/Facts.ts"
import * as EmbeddedKimi from "../../src/embedded/Kimi.ts"

const start = Effect.gen(function* () {
  const context = yield* Layer.build(
    Layer.fresh(EmbeddedKimi.layerServer).pipe(
      Layer.provideMerge(Layer.fresh(EmbeddedKimi.EmbeddedKimi.layer)),
      Layer.provide(Layer.fresh(KeyValueStore.layerMemory)),
      Layer.provide(Layer.succeed(EmbeddedKimi.Pace)(Duration.millis(1))),
    ),
  )
  const { address } = Context.get(context, HttpServer.HttpServer)
  const { served } = Context.get(context, EmbeddedKimi.EmbeddedKimi)
  const post = (body: object, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${(address as { port: number }).port}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: "Bearer sk-any", "content-type": "application/json" },
      body: JSON.stringify(body),
      ...init,
    })
  const json = (body: object) =>
    Effect.promise(async () => {
      const response = await post(body)
      return { status: response.status, body: (await response.json()) as any }
    })
  const events = (body: object) =>
    Effect.promise(async () => {
      const text = await (await post({ stream: true, ...body })).text()
      const data = text.split("\n\n").filter((one) => one.startsWith("data: {"))
      return { text, chunks: data.map((one) => JSON.parse(one.slice(6)) as any) }
    })
  return { post, json, events, served }
})

const ask = (content: string, more: object = {}) => ({
  model: "kimi-k2.6",
  messages: [{ role: "user", content }],
  ...more,
})

const factTool = {
  type: "function",
  function: {
    name: "record_facts",
    parameters: {
      type: "object",
      properties: {
        useCase: { type: "string" },
        messagesPerDay: { anyOf: [{ type: "number" }, { type: "null" }] },
        kind: { type: "string", enum: ["chat", "coding", "research"] },
        email: { type: "string" },
        language: { type: "string" },
        tier: { type: "string", enum: ["starter", "pro", "team"] },
      },
    },
  },
}

describe("the embedded Kimi", () => {
  it.live("answers, counts what it says, and keeps its own count", () =>
    Effect.gen(function* () {
      const kimi = yield* start
      const whole = yield* kimi.json(ask("What is a berth?"))
      assert.strictEqual(whole.status, 200)
      assert.include(whole.body.choices[0].message.content, "You asked: What is a berth?")
      const stream = yield* kimi.events(ask("Write some Python", { stream_options: { include_usage: true } }))
      const content = stream.chunks.map((one) => one.choices[0]?.delta.content ?? "").join("")
      assert.include(content, "```python")
      const last = stream.chunks.at(-1)
      assert.deepStrictEqual(last.choices, [])
      assert.deepStrictEqual(stream.chunks.at(-2).choices[0].usage, last.usage)
      assert.isTrue(stream.text.endsWith("data: [DONE]\n\n"))
      const served = yield* kimi.served
      assert.strictEqual(served.length, 2)
      const total = (usage: { prompt: number; completion: number }) => usage.prompt + usage.completion
      assert.strictEqual(
        served.reduce((sum, one) => sum + total(one.usage), 0),
        whole.body.usage.total_tokens + last.usage.total_tokens,
      )
    }),
  )

  it.live("knows a prefix that it has seen, and stops at the maximum", () =>
    Effect.gen(function* () {
      const kimi = yield* start
      const first = yield* kimi.json(ask("Hello"))
      const messages = [
        { role: "user", content: "Hello" },
        { role: "assistant", content: "Hi" },
        { role: "user", content: "More" },
      ]
      const second = yield* kimi.json({ model: "kimi-k2.6", messages, max_completion_tokens: 3 })
      assert.strictEqual(first.body.usage.cached_tokens, 0)
      assert.strictEqual(second.body.usage.cached_tokens, first.body.usage.prompt_tokens)
      assert.strictEqual(second.body.usage.completion_tokens, 3)
      assert.strictEqual(second.body.choices[0].finish_reason, "length")
    }),
  )

  it.live("refuses what Kimi refuses", () =>
    Effect.gen(function* () {
      const kimi = yield* start
      const temperature = yield* kimi.json(ask("x", { temperature: 0.7 }))
      assert.strictEqual(temperature.status, 400)
      assert.include(temperature.body.error.message, "only 1 is allowed")
      const model = yield* kimi.json(ask("x", { model: "kimi-k1" }))
      assert.strictEqual(model.status, 404)
      assert.strictEqual(model.body.error.type, "resource_not_found_error")
      const anonymous = yield* Effect.promise(() => kimi.post(ask("x"), { headers: {} }))
      assert.strictEqual(anonymous.status, 401)
      assert.strictEqual((yield* kimi.json({ model: "kimi-k2.6" })).status, 400)
      assert.deepStrictEqual(yield* kimi.served, [])
    }),
  )

  it.live("keeps what it had said when the caller left", () =>
    Effect.gen(function* () {
      const kimi = yield* start
      yield* Effect.promise(async () => {
        const controller = new AbortController()
        const response = await kimi.post(ask("Write some Python", { stream: true }), { signal: controller.signal })
        await response.body?.getReader().read()
        controller.abort()
      })
      let served: ReadonlyArray<EmbeddedKimi.Served> = []
      while (served.length === 0) {
        yield* Effect.sleep(5)
        served = yield* kimi.served
      }
      assert.strictEqual(served[0]?.whole, false)
    }),
  )

  it.live("records the facts of the onboarding conversation by its tool, and then answers in words", () =>
    Effect.gen(function* () {
      const kimi = yield* start
      const words = "Help me write Python and review my PRs, about 80 messages a day. Mail me at ann@example.org"
      const { body } = yield* kimi.json(ask(words, { tools: [factTool], tool_choice: "auto" }))
      const [choice] = body.choices
      assert.strictEqual(choice.finish_reason, "tool_calls")
      const call = choice.message.tool_calls[0]
      assert.strictEqual(call.function.name, "record_facts")
      const facts = JSON.parse(call.function.arguments)
      assert.deepInclude(facts, { messagesPerDay: 80, kind: "coding", email: "ann@example.org" })
      assert.include(facts.useCase, "write Python")
      const stream = yield* kimi.events(ask(words, { tools: [factTool] }))
      const streamed = stream.chunks.flatMap((one) => one.choices[0]?.delta.tool_calls ?? [])
      assert.deepStrictEqual(JSON.parse(streamed.map((one) => one.function.arguments).join("")), facts)
      const after = yield* kimi.json({
        model: "kimi-k2.6",
        tools: [factTool],
        messages: [
          { role: "user", content: words },
          { role: "assistant", content: null, tool_calls: [call] },
          { role: "tool", tool_call_id: call.id, content: "{}" },
        ],
      })
      assert.strictEqual(after.body.choices[0].finish_reason, "stop")
      assert.isNotEmpty(after.body.choices[0].message.content)
    }),
  )
})

describe("the onboarding conversation's own prompts", () => {
  it.live("get the facts between the tags, and the question asked", () =>
    Effect.gen(function* () {
      const kimi = yield* start
      const tools = [factTool]
      const noted = yield* kimi.json(
        ask("Asked for: email, messagesPerDay\n<message>\nann@example.org, I want 40 a day\n</message>", { tools }),
      )
      assert.deepStrictEqual(JSON.parse(noted.body.choices[0].message.tool_calls[0].function.arguments), {
        email: "ann@example.org",
        messagesPerDay: 40,
      })
      const question = {
        type: "function",
        function: {
          name: "ask_customer",
          parameters: { type: "object", properties: { question: { type: "string" } } },
        },
      }
      const asked = yield* kimi.json(
        ask("Question: How many messages a day?\n<last-message>\nHelp me write Python\n</last-message>", {
          tools: [question],
        }),
      )
      assert.deepStrictEqual(JSON.parse(asked.body.choices[0].message.tool_calls[0].function.arguments), {
        question: "How many messages a day?",
      })
    }),
  )
})

describe("facts in a user's words", () => {
  const facts = (text: string) => factsIn(text, factTool.function.parameters)
  it("are the volume in messages a day, however it is said", () => {
    for (const [text, expected] of [
      ["around 50 messages a day", 50],
      ["2k per day", 2_000],
      ["1,200 messages daily", 1_200],
      ["70 a week", 10],
      ["5 per hour", 50],
      ["50", 50],
      ["about 30", 30],
      ["hundreds", 200],
      ["a few", 10],
    ] as const) {
      assert.strictEqual(facts(text)["messagesPerDay"], expected, text)
    }
  })
  it("are the kind of work and the language", () => {
    assert.strictEqual(facts("review my pull requests")["kind"], "coding")
    assert.strictEqual(facts("summarise papers and news")["kind"], "research")
    assert.strictEqual(facts("someone to chat with")["kind"], "chat")
    assert.strictEqual(facts("我想要一个助手")["language"], "zh")
    assert.strictEqual(facts("please answer in German")["language"], "de")
  })
  it("are a plan taken by its name, not a word that happens to be one", () => {
    assert.strictEqual(facts("I'll take the Pro")["tier"], "pro")
    assert.strictEqual(facts("team plan please")["tier"], "team")
    assert.strictEqual(facts("Starter")["tier"], "starter")
    assert.isUndefined(facts("help my team to write code")["tier"])
  })
  it("are none in small talk", () => {
    assert.deepStrictEqual(facts("hi there"), {})
    assert.deepStrictEqual(facts("yes"), {})
  })
})
