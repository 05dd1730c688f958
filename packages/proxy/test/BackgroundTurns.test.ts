/** Turns that nobody waits for, through the proxy: counted apart, held under their own cap, and refused without a word to the user. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import OpenAI from "openai"
import * as Turns from "./OpenClawTurns.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const { context, heartbeat, said, scheduled } = Turns
const small = (...messages: ReadonlyArray<object>) => ({ ...Turns.turn(...messages), max_completion_tokens: 100 })
const kinds = { heartbeat: small(heartbeat, context), scheduled: small(scheduled, context), person: small(said("hi")) }
const quiet = / HEARTBEAT_OK$/

describe("a turn that nobody waits for", () => {
  it.live("is counted apart from a person's, in the allowance and in the events", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.streaming({ prompt: 100, completion: 20 }),
      })
      for (const [kind, background] of [
        ["heartbeat", 120],
        ["scheduled", 240],
        ["person", 240],
      ] as const) {
        assert.strictEqual((yield* World.chat(world, alice.token, kinds[kind])).status, 200)
        assert.strictEqual((yield* world.settled(alice)).background, background, kind)
      }
      const marked = (yield* world.events).map((event) => event._tag === "usage" && event.background)
      assert.deepStrictEqual(marked, [true, true, false])
      assert.strictEqual((yield* world.settled(alice)).used, 360)
    }),
  )

  it.live(
    "is refused when its share is used up, a heartbeat without a word to the user, while the person goes on",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("alice", { backgroundCap: 50 })
        const world = yield* World.start({
          customers: [alice],
          behaviour: Stub.streaming({ prompt: 100, completion: 20 }),
        })
        for (const kind of ["heartbeat", "scheduled"] as const) {
          const answer = yield* World.chat(world, alice.token, kinds[kind])
          const { code, message } = answer.json().error
          assert.deepStrictEqual([answer.status, code], [429, "background_limit_reached"])
          assert.match(message, /^Monthly limit of background turns reached: .* Resets December 1, 2099\. /)
          assert.strictEqual(quiet.test(message), kind === "heartbeat")
        }
        assert.strictEqual((yield* World.chat(world, alice.token, kinds.person)).status, 200)
        assert.strictEqual(world.stub.received.length, 1)
      }),
  )

  it.live(
    "is refused without a word to the user whatever the reason, if it is a heartbeat and no other try can help",
    () =>
      Effect.gen(function* () {
        const [alice, bob] = [World.customer("alice", { paused: true }), World.customer("bob", { plan: 50 })]
        const behaviour = Stub.failing(429, "rate_limit_reached_error", "please try again after 3600 seconds")
        const carol = World.customer("carol")
        const world = yield* World.start({ customers: [alice, bob, carol], behaviour })
        for (const [who, silent] of [
          [alice, true],
          [bob, true],
          // Told to come back: it does, by itself.
          [carol, false],
        ] as const) {
          const { message } = (yield* World.chat(world, who.token, kinds.heartbeat)).json().error
          assert.strictEqual(quiet.test(message), silent, message)
          const { message: loud } = (yield* World.chat(world, who.token, kinds.person)).json().error
          assert.notMatch(loud, quiet)
        }
      }),
  )
})

describe("a refusal that another try cannot help", () => {
  it.live("is not tried again by OpenAI's client, which else tries every 429 three times", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice", { plan: 50 })
      const world = yield* World.start({ customers: [alice] })
      let asked = 0
      const client = new OpenAI({
        apiKey: alice.token,
        baseURL: `${world.url}/v1`,
        fetch: (...request) => {
          asked++
          return fetch(...request)
        },
      })
      const messages = [{ role: "user" as const, content: "Hello" }]
      const code = yield* Effect.promise(() =>
        client.chat.completions.create({ model: "kimi-k2.6", messages }).then(
          () => undefined,
          (error: { code?: string }) => error.code,
        ),
      )
      assert.strictEqual(code, "usage_limit_reached")
      assert.strictEqual(asked, 1)
    }),
  )
})
