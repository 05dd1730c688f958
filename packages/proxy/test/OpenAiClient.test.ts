/** The npm client that most customers' tools are built on, and OpenClaw's own shape of request, through the proxy. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import OpenAI, { RateLimitError } from "openai"
import { openClawBody } from "./OpenClawBody.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const clientOf = (world: World.World, who: World.Customer) =>
  new OpenAI({ apiKey: who.token, baseURL: `${world.url}/v1`, maxRetries: 0 })
const messages = [{ role: "user" as const, content: "Hello" }]

describe("the openai client", () => {
  it.live("completes, streams with and without usage, lists models, and reads the refusal over the limit", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice", { plan: 2_400 })
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.either({ prompt: 500, completion: 100 }),
      })
      const client = clientOf(world, alice)

      const whole = yield* Effect.promise(() =>
        client.chat.completions.create({ model: "kimi-k2.6", messages, temperature: 0.3 }),
      )
      assert.strictEqual(whole.choices[0]?.message.content, "Hello there")
      assert.strictEqual(whole.usage?.total_tokens, 600)

      const read = async (include_usage: boolean) => {
        const stream = await client.chat.completions.create({
          model: "kimi-k2.6",
          messages,
          stream: true,
          ...(include_usage ? { stream_options: { include_usage } } : {}),
        })
        const chunks = []
        for await (const chunk of stream) chunks.push(chunk)
        return chunks
      }
      const plain = yield* Effect.promise(() => read(false))
      assert.strictEqual(
        plain.map((one) => one.choices[0]?.delta.content ?? "").join(""),
        "word0 word1 word2 word3 word4 ",
      )
      assert.isTrue(plain.every((one) => one.choices.length > 0))
      const withUsage = yield* Effect.promise(() => read(true))
      assert.strictEqual(withUsage.at(-1)?.usage?.total_tokens, 600)

      assert.strictEqual((yield* world.settled(alice)).used, 1_800)
      const models = yield* Effect.promise(() => client.models.list())
      assert.deepStrictEqual(
        models.data.map((one) => one.id),
        ["kimi-k2.6", "kimi-k2.7-code"],
      )

      const refused = yield* Effect.promise(() =>
        client.chat.completions.create({ model: "kimi-k2.6", messages, max_tokens: 1_000 }).then(
          () => undefined,
          (error: unknown) => error,
        ),
      )
      assert.instanceOf(refused, RateLimitError)
      const error = refused as RateLimitError
      assert.strictEqual(error.code, "usage_limit_reached")
      assert.match(error.message, /^429 Monthly usage limit reached\. Resets December 1, 2099\. Top up at http/)
    }),
  )
})

describe("a request of OpenClaw's shape", () => {
  it.live("goes through with its bytes as they came but for what is spliced, and its try is known by its trace", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.streaming({ prompt: 13_000, completion: 40, cached: 12_000 }, { words: 20 }),
      })
      const body = JSON.stringify(openClawBody())
      assert.isAbove(body.length, 56_000)
      assert.isBelow(body.length, 62_000)
      const trace = "1234567890abcdef1234567890abcdef"
      const response = yield* Effect.promise(() =>
        World.post(world, alice.token, body, {
          headers: {
            authorization: `Bearer ${alice.token}`,
            "content-type": "application/json",
            traceparent: `00-${trace}-1234567890abcdef-01`,
            "x-stainless-lang": "js",
            "accept-encoding": "gzip, deflate",
          },
        }),
      )
      const text = yield* Effect.promise(() => response.text())
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream; charset=utf-8")
      assert.include(text, '"choices":[]')
      const [received] = world.stub.received
      assert.deepStrictEqual(received?.body, { ...openClawBody(), max_completion_tokens: 32_768 })
      assert.include(received?.raw.toString() ?? "", body.slice(1, body.indexOf('"stream":')).slice(0, -1))
      assert.strictEqual(received?.headers["accept-encoding"], "identity")
      assert.notProperty(received?.headers, "x-stainless-lang")
      assert.strictEqual((yield* world.settled(alice)).used, 1_000 + 2_000 + 40)
      assert.deepInclude((yield* world.events)[0], { traceId: trace, model: "kimi-k2.6" })
    }),
  )
})
