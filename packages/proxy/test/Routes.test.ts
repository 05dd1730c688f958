import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const get = (world: World.World, path: string, token: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${world.url}${path}`, { headers: { authorization: `Bearer ${token}` } })
    return { status: response.status, headers: response.headers, body: (await response.json()) as any }
  })

describe("GET /v1/usage", () => {
  it.live("tells a customer what is used, held and left, and when it begins anew, while a call is open and after", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice", { plan: 50_000 })
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.answering({ prompt: 100, completion: 20 }, 150),
      })
      const call = World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 2_000 }))
      const during = Effect.gen(function* () {
        while (world.stub.received.length === 0) yield* Effect.sleep(5)
        return yield* get(world, "/v1/usage", alice.token)
      })
      const [, open] = yield* Effect.all([call, during], { concurrency: "unbounded" })
      assert.isAbove(open.body.held, 2_000)
      assert.strictEqual(open.body.remaining, 50_000 - open.body.held)
      yield* world.settled(alice)
      const { status, headers, body } = yield* get(world, "/v1/usage", alice.token)
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(body, {
        object: "usage",
        tier: "pro",
        used: 120,
        held: 0,
        limit: 50_000,
        remaining: 49_880,
        resets_at: "2099-12-01T00:00:00.000Z",
        paused: false,
        suspended: false,
      })
      assert.strictEqual(headers.get("x-ratelimit-remaining-tokens"), "49880")
    }),
  )

  it.live("answers a paused customer, and nobody without a live token", () =>
    Effect.gen(function* () {
      const paused = World.customer("paul", { paused: true })
      const revoked = World.customer("rita", { tokens: [] })
      const world = yield* World.start({ customers: [paused, revoked] })
      assert.strictEqual((yield* get(world, "/v1/usage", paused.token)).body.paused, true)
      for (const path of ["/v1/usage", "/v1/models"]) {
        for (const token of [revoked.token, "bth_nonsense", ""]) {
          const refused = yield* get(world, path, token)
          assert.strictEqual(refused.status, 401)
          assert.strictEqual(refused.body.error.code, "invalid_api_key")
        }
      }
    }),
  )
})

describe("one customer's token", () => {
  it.live("never spends another's allowance", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const bob = World.customer("bob")
      const world = yield* World.start({ customers: [alice, bob] })
      yield* Effect.all(
        Array.from({ length: 10 }, (_, index) => World.chat(world, (index % 2 === 0 ? alice : bob).token)),
        { concurrency: "unbounded" },
      )
      assert.strictEqual((yield* world.settled(alice)).used, 600)
      assert.strictEqual((yield* world.settled(bob)).used, 600)
    }),
  )
})

describe("the log", () => {
  it.live("holds no token, no key and none of a customer's words, whatever goes wrong", () => {
    const lines: Array<string> = []
    const logger = Logger.make((entry) => {
      lines.push(`${JSON.stringify(entry.message)} ${Cause.pretty(entry.cause)}`)
    })
    return Effect.gen(function* () {
      const alice = World.customer("alice")
      const behaviour = Stub.inTurn(
        Stub.failing(401, "invalid_authentication_error", `bad key ${World.upstreamKey}`),
        Stub.failing(429, "exceeded_current_quota_error", "org-1 <ak-2>"),
        Stub.html504,
        Stub.resetting(2),
        Stub.either({ prompt: 1, completion: 1 }),
      )
      const world = yield* World.start({ customers: [alice], behaviour })
      const body = World.chatBody({ messages: [{ role: "user", content: "my-very-private-words" }], stream: true })
      for (let index = 0; index < 5; index++) {
        yield* Effect.promise(() =>
          World.post(world, alice.token, body)
            .then((response) => response.text())
            .catch(() => "broken"),
        )
      }
      yield* World.chat(world, `${alice.token.slice(0, -1)}x`)
      yield* world.settled(alice)
      assert.isNotEmpty(lines)
      // The last character is the only one that the mistyped token lacks.
      for (const secret of [alice.token.slice(0, -1), World.upstreamKey, "my-very-private-words", "org-1", "ak-2"]) {
        assert.notInclude(lines.join("\n"), secret)
      }
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})
