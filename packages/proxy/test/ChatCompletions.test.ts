import { models } from "@berth/domain/Tiers"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

describe("a metered request", () => {
  it.live("is answered in one piece and counted as the upstream counts", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.either({ prompt: 1_200, completion: 800, cached: 60 }),
      })
      const answer = yield* World.chat(world, alice.token, World.chatBody({ max_tokens: 900, temperature: 0.2 }))
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.json().choices[0].message.content, "Hello there")
      assert.match(answer.headers.get("x-request-id") ?? "", /^req_/)
      assert.strictEqual(answer.headers.get("x-ratelimit-limit-tokens"), "1000000")
      const view = yield* world.settled(alice)
      assert.strictEqual(view.used, 1_200 - 60 + 10 + 800)
      const [received] = world.stub.received
      assert.strictEqual(received?.headers["authorization"], `Bearer ${World.upstreamKey}`)
      assert.strictEqual(received?.body.max_completion_tokens, 900)
      assert.notProperty(received?.body, "max_tokens")
      assert.notProperty(received?.body, "temperature")
    }),
  )

  it.live("holds no more for an answer than the model can give, whatever maximum its client names", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice", { plan: 1_000_000_000 })
      const world = yield* World.start({ customers: [alice] })
      yield* World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 900_000_000 }))
      assert.strictEqual(world.stub.received[0]?.body.max_completion_tokens, models["kimi-k2.6"].contextTokens)
    }),
  )

  it.live("streams, hides the usage chunk from a client that did not ask, and counts it once", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.streaming({ prompt: 50, completion: 7 }),
      })
      const answer = yield* World.chat(world, alice.token, World.chatBody({ stream: true }))
      assert.strictEqual(answer.status, 200)
      assert.include(answer.text, "word4")
      assert.include(answer.text, "[DONE]")
      assert.notInclude(answer.text, '"choices":[]')
      assert.deepStrictEqual(world.stub.received[0]?.body.stream_options, { include_usage: true })
      const view = yield* world.settled(alice)
      assert.strictEqual(view.used, 57)
      const events = yield* world.events
      assert.strictEqual(events.length, 1)
      assert.deepInclude(events[0], { _tag: "usage", charge: 57, estimated: false })
    }),
  )

  it.live("lets none of the upstream's headers through but what describes the body", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: (received, response) => {
          response.setHeader("set-cookie", "acw_tc=upstream")
          response.setHeader("msh-org-id", "org-1")
          response.setHeader("x-request-id", "upstream-id")
          Stub.answering({ prompt: 1, completion: 1 })(received, response)
        },
      })
      const { headers } = yield* World.chat(world, alice.token)
      assert.deepStrictEqual(
        [...headers.keys()].filter((name) => !["connection", "date", "keep-alive"].includes(name)),
        [
          "content-length",
          "content-type",
          "x-berth-completion-limit",
          "x-berth-hold-tokens",
          "x-berth-period-end",
          "x-ratelimit-limit-tokens",
          "x-ratelimit-remaining-tokens",
          "x-ratelimit-reset-tokens",
          "x-request-id",
        ],
      )
      assert.match(headers.get("x-request-id") ?? "", /^req_/)
    }),
  )

  it.live(
    "asks for no more than the allowance has left, and for the tier's default when the client names nothing",
    () =>
      Effect.gen(function* () {
        const rich = World.customer("rich")
        const poor = World.customer("poor", { plan: 5_000 })
        const world = yield* World.start({ customers: [rich, poor] })
        yield* World.chat(world, rich.token)
        yield* World.chat(world, poor.token, World.chatBody({ max_completion_tokens: 100_000 }))
        assert.strictEqual(world.stub.received[0]?.body.max_completion_tokens, 16_384)
        assert.isBelow(world.stub.received[1]?.body.max_completion_tokens, 5_000)
        assert.isAbove(world.stub.received[1]?.body.max_completion_tokens, 4_500)
      }),
  )

  it.live("is settled at the last of several differing reports, never at their sum", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: (_received, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.end(Stub.finish({ prompt: 10, completion: 1 }) + Stub.finish({ prompt: 10, completion: 5 }))
        },
      })
      yield* World.chat(world, alice.token, World.chatBody({ stream: true }))
      assert.strictEqual((yield* world.settled(alice)).used, 15)
    }),
  )
})
