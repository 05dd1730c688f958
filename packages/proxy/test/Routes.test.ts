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
      assert.deepInclude(body, {
        used: 120,
        held: 0,
        limit: 50_000,
        remaining: 49_880,
        resets_at: "2099-12-01T00:00:00.000Z",
        background: { used: 0, held: 0, cap: 50_000 },
      })
      assert.deepInclude(body.today, { used: 120, cap: null })
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

  it.live("answers nobody by a token that was revoked, though this process knows it", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice] })
      yield* world.allowance.rebuild(alice.snapshot)
      assert.strictEqual((yield* get(world, "/v1/usage", alice.token)).status, 200)
      const { customerId, snapshot } = alice
      const terms = { ...snapshot.terms, tokens: [] }
      yield* world.allowance.apply({ customerId, rev: 2, period: 0, terms, packsDelta: 0 })
      for (const path of ["/v1/usage", "/v1/models"]) {
        const refused = yield* get(world, path, alice.token)
        assert.deepStrictEqual([refused.status, refused.body.error.code], [401, "invalid_api_key"])
      }
    }),
  )
})

describe("GET /v1/models", () => {
  it.live("lists the models of the customer's tier as Kimi does, each also by its name, and no other", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice] })
      const model = (id: string) => ({ id, object: "model", created: 0, owned_by: "moonshot", context_length: 262_144 })
      const { status, body } = yield* get(world, "/v1/models", alice.token)
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(body, { object: "list", data: [model("kimi-k2.6"), model("kimi-k2.7-code")] })
      assert.deepStrictEqual((yield* get(world, "/v1/models/kimi-k2.6", alice.token)).body, model("kimi-k2.6"))
      assert.deepStrictEqual((yield* get(world, "/v1/models/kimi%2Dk2%2E6", alice.token)).body, model("kimi-k2.6"))
      for (const id of ["kimi-k3", "constructor", "KIMI-K2.6", "%00", "kimi-k2.6%20"]) {
        const unknown = yield* get(world, `/v1/models/${id}`, alice.token)
        assert.strictEqual(unknown.status, 404)
        assert.strictEqual(unknown.body.error.code, "model_not_found")
      }
      assert.strictEqual((yield* get(world, "/v1/models/kimi-k2.6", "")).status, 401)
    }),
  )
})

describe("the headers of an answer", () => {
  const duration = /^(?:\d+h)?(?:\d+m)?\d+s$/
  it.live("tell what is left, until when, and what the call holds and may complete", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice", { plan: 50_000 })
      const world = yield* World.start({ customers: [alice] })
      const { headers } = yield* get(world, "/v1/models", alice.token)
      assert.strictEqual(headers.get("x-ratelimit-remaining-tokens"), "50000")
      assert.match(headers.get("x-ratelimit-reset-tokens") ?? "", duration)
      assert.match(headers.get("x-request-id") ?? "", /^req_/)
      for (const stream of [true, false]) {
        const before = yield* world.settled(alice)
        const { headers } = yield* World.chat(
          world,
          alice.token,
          World.chatBody({ max_completion_tokens: 2_000, stream }),
        )
        const hold = Number(headers.get("x-berth-hold-tokens"))
        assert.isAbove(hold, 2_000)
        assert.strictEqual(headers.get("x-berth-completion-limit"), "2000")
        assert.strictEqual(headers.get("x-ratelimit-limit-tokens"), "50000")
        assert.strictEqual(Number(headers.get("x-ratelimit-remaining-tokens")), 50_000 - before.used - hold)
        assert.match(headers.get("x-ratelimit-reset-tokens") ?? "", duration)
        assert.strictEqual(headers.get("x-berth-period-end"), "2099-12-01T00:00:00.000Z")
      }
    }),
  )
  it.live(
    "tell that nothing is left when the month's allowance is used up, and nothing at all to who has no token",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("alice", { plan: 1_000, used: 999 })
        const world = yield* World.start({ customers: [alice] })
        const { status, headers } = yield* World.chat(world, alice.token)
        assert.strictEqual(status, 429)
        assert.strictEqual(headers.get("x-ratelimit-remaining-tokens"), "0")
        assert.strictEqual(headers.get("x-ratelimit-limit-tokens"), "1000")
        assert.match(headers.get("x-ratelimit-reset-tokens") ?? "", duration)
        const stranger = yield* World.chat(world, "bth_x")
        assert.deepStrictEqual(
          [...stranger.headers.keys()].filter((name) => name.startsWith("x-")),
          ["x-request-id"],
        )
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
      const foreign = "sk-0123456789abcdefghij"
      assert.notInclude((yield* World.chat(world, foreign)).text, foreign)
      yield* world.settled(alice)
      assert.isNotEmpty(lines)
      // The last character is the only one that the mistyped token lacks.
      for (const secret of [
        alice.token.slice(0, -1),
        foreign,
        World.upstreamKey,
        "my-very-private-words",
        "org-1",
        "ak-2",
      ]) {
        assert.notInclude(lines.join("\n"), secret)
      }
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})
