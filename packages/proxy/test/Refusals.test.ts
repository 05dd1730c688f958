/** Each way in which a request can be refused: its status, its exact words, and that nothing is held or sent for it. */
import { connect } from "node:net"
import { Allowance, type Allowance as Port } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { StoreUnavailable } from "@berth/domain/Errors"
import type { UsageEvents } from "@berth/domain/UsageEvents"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const away = new StoreUnavailable({ store: "redis", operation: "test", cause: "down" })

/** A memory allowance whose store is away while `down.now` is true. */
const flaky = (down: { now: boolean }): Layer.Layer<Allowance | UsageEvents> =>
  Layer.provideMerge(
    Layer.effect(
      Allowance,
      Effect.map(Allowance, (memory) => {
        const guard = <A>(effect: Effect.Effect<A, StoreUnavailable>) =>
          Effect.suspend(() => (down.now ? Effect.fail(away) : effect))
        const port: Port["Service"] = {
          ...memory,
          customerOf: (hash) => guard(memory.customerOf(hash)),
          admit: (ask) => guard(memory.admit(ask)),
          settle: (settlement) => guard(memory.settle(settlement)),
          release: (hold) => guard(memory.release(hold)),
        }
        return port
      }),
    ),
    Layer.fresh(World.memory),
  )

const backlogged: Layer.Layer<Allowance | UsageEvents> = Layer.provideMerge(
  Layer.effect(
    Allowance,
    Effect.map(Allowance, (memory) => ({ ...memory, admit: () => Effect.succeed({ _tag: "Backlogged" } as const) })),
  ),
  Layer.fresh(World.memory),
)

const refusedWith = (
  name: string,
  expected: { status: number; error: Record<string, unknown>; retryAfter?: string },
  run: () => Effect.Effect<
    {
      readonly answer: Effect.Success<ReturnType<typeof World.chat>>
      readonly world: World.World
      readonly who: World.Customer
    },
    unknown,
    any
  >,
) =>
  it.live(
    name,
    () =>
      Effect.gen(function* () {
        const { answer, world, who } = yield* run()
        assert.strictEqual(answer.status, expected.status)
        assert.deepStrictEqual(answer.json(), { error: expected.error })
        assert.strictEqual(answer.headers.get("retry-after"), expected.retryAfter ?? null)
        assert.strictEqual(answer.headers.get("content-type"), "application/json")
        assert.match(answer.headers.get("x-request-id") ?? "", /^req_/)
        assert.strictEqual(world.stub.received.length, 0)
        const view = yield* world.allowance.view(who.customerId)
        if (view._tag === "Some") assert.strictEqual(view.value.held, 0)
      }) as Effect.Effect<void, unknown, any> as any,
  )

const one = (
  terms: Parameters<typeof World.customer>[1],
  body?: unknown,
  options: Partial<World.Options> = {},
  token?: (who: World.Customer) => string,
) =>
  Effect.gen(function* () {
    const who = World.customer("alice", terms)
    const world = yield* World.start({ customers: [who], ...options })
    const answer = yield* World.chat(world, token?.(who) ?? who.token, body)
    return { answer, world, who }
  })

const server = (code: string, message: string) => ({ message, type: "server_error", code, param: null })
const invalid = (message: string, param: string | null = null, code: string | null = null) => ({
  message,
  type: "invalid_request_error",
  code,
  param,
})
const unknownToken = invalid(
  "The proxy token is missing or unknown. Send it as `Authorization: Bearer bth_…`.",
  null,
  "invalid_api_key",
)

describe("a refused request", () => {
  refusedWith(
    "over the limit gets the monthly message that OpenClaw shows word for word, and no Retry-After",
    {
      status: 429,
      error: {
        message: "Monthly usage limit reached. Resets December 1, 2099. Top up at https://berth.example/usage",
        type: "usage_limit_reached",
        code: "usage_limit_reached",
        param: null,
      },
    },
    () => one({ plan: 1_000, used: 999 }, undefined, { settings: { publicUrl: "https://berth.example" } }),
  )
  refusedWith("with a well-formed token that nobody has gets 401", { status: 401, error: unknownToken }, () =>
    one({}, undefined, {}, () => World.customer("nobody").token),
  )
  for (const [name, mistyped] of [
    ["with a character that tokens have not", (token: string) => `${token.slice(0, -1)}~`],
    ["with one character changed", (token: string) => token.replace(/.$/, (last) => (last === "0" ? "1" : "0"))],
    ["cut off", (token: string) => token.slice(0, -3)],
    ["with something after it", (token: string) => `${token}0`],
  ] as const) {
    refusedWith(
      `with a mistyped token (${name}) gets 401 that says so, even while the store is away`,
      {
        status: 401,
        error: invalid(
          "This proxy token is mistyped or cut off: its checksum does not match. Copy it again, all of it.",
          null,
          "invalid_api_key",
        ),
      },
      () => one({}, undefined, { allowance: flaky({ now: true }) }, (who) => mistyped(who.token)),
    )
  }
  for (const key of [
    "sk-0123456789abcdefghijABCDEFGHIJ",
    "sk-proj-abc_def",
    "sk-ant-api03-x",
    "gsk_abc",
    "AIzaSyAbc",
  ]) {
    refusedWith(
      `with a key of another service (${key.slice(0, 7)}…) gets 401 that calls it leaked and does not repeat it`,
      {
        status: 401,
        error: invalid(
          "This is a key of another service, not a proxy token. Send the agent's proxy token (`bth_…`) instead, and " +
            "revoke that key where it was made: it has left your hands, so consider it leaked.",
          null,
          "invalid_api_key",
        ),
      },
      () => one({}, undefined, { allowance: flaky({ now: true }) }, () => key),
    )
  }
  refusedWith(
    "with a token that was revoked since gets 401",
    {
      status: 401,
      error: invalid(
        "This proxy token has been revoked. The agent's current one is in its environment after a restart.",
        null,
        "invalid_api_key",
      ),
    },
    () =>
      Effect.gen(function* () {
        const who = World.customer("alice")
        const world = yield* World.start({ customers: [who] })
        yield* world.allowance.rebuild(who.snapshot)
        // Known to the process by now, and revoked after that.
        yield* Effect.promise(() =>
          fetch(`${world.url}/v1/usage`, { headers: { authorization: `Bearer ${who.token}` } }).then((r) => r.text()),
        )
        yield* world.allowance.apply({
          customerId: who.customerId,
          rev: 2,
          period: 0,
          terms: { ...who.snapshot.terms, tokens: [] },
          packsDelta: 0,
        })
        return { answer: yield* World.chat(world, who.token), world, who }
      }),
  )
  refusedWith(
    "of a paused agent gets 423, in words that OpenClaw shows, with the way to resume",
    {
      status: 423,
      error: {
        message:
          "Your agent is paused; its plan and monthly limit stay as they are. Resume it at http://127.0.0.1:3000/usage",
        type: "permission_error",
        code: "agent_paused",
        param: null,
      },
    },
    () => one({ paused: true }),
  )
  refusedWith(
    "of a suspended agent gets 423, in words that OpenClaw shows",
    {
      status: 423,
      error: {
        message:
          "Your agent is suspended; its plan and monthly limit wait for it. See why at http://127.0.0.1:3000/usage",
        type: "permission_error",
        code: "agent_suspended",
        param: null,
      },
    },
    () => one({ blocked: true }),
  )
  refusedWith(
    "after the service has ended gets 423 with the day, and none of the words that lock an agent out",
    {
      status: 423,
      error: {
        message:
          "Your plan ended on March 1, 2026, and its monthly limit with it. Renew it at http://127.0.0.1:3000/usage",
        type: "permission_error",
        code: "service_ended",
        param: null,
      },
    },
    () => one({ periodEnd: Date.UTC(2026, 2, 1), serviceUntil: Date.UTC(2026, 2, 1) }),
  )
  refusedWith(
    "while too much usage waits to be recorded gets 503",
    {
      status: 503,
      retryAfter: "2",
      error: server(
        "recording_behind",
        "Usage cannot be recorded at the moment, so nothing is admitted. Try again in a moment.",
      ),
    },
    () => one({}, undefined, { allowance: backlogged }),
  )
  refusedWith(
    "while Redis is away gets 503 with Retry-After 2",
    {
      status: 503,
      retryAfter: "2",
      error: server("store_unavailable", "Your allowance cannot be checked at the moment. Try again in a moment."),
    },
    () => one({}, undefined, { allowance: flaky({ now: true }) }),
  )
  refusedWith(
    "of an unknown customer while Postgres is away gets 503",
    {
      status: 503,
      retryAfter: "2",
      error: server("store_unavailable", "Your allowance cannot be checked at the moment. Try again in a moment."),
    },
    () =>
      one({}, undefined, {
        source: Layer.succeed(AllowanceSource)({
          snapshot: () => Effect.fail(away),
          customerOf: () => Effect.fail(away),
          customers: Effect.fail(away),
          usage: () => Effect.fail(away),
        }),
      }),
  )
  refusedWith(
    "for a model outside the tier gets 404 model_not_found",
    {
      status: 404,
      error: invalid(
        'The model "kimi-k3" is not part of your plan. Available: kimi-k2.6, kimi-k2.7-code.',
        "model",
        "model_not_found",
      ),
    },
    () => one({}, World.chatBody({ model: "kimi-k3" })),
  )
  refusedWith(
    "with a body beyond the limit gets 413",
    {
      status: 413,
      error: invalid(
        "The request body is larger than 1000 bytes, the most that is accepted.",
        null,
        "request_too_large",
      ),
    },
    () => one({}, World.chatBody({ user: "x".repeat(2_000) }), { settings: { bodyBytes: 1_000 } }),
  )
  refusedWith(
    "that asks for several choices gets 400",
    { status: 400, error: invalid("Only one choice per request is offered: leave `n` out or set it to 1.", "n") },
    () => one({}, World.chatBody({ n: 2 })),
  )
  refusedWith(
    "with the provider's web search among its tools gets 400",
    {
      status: 400,
      error: invalid(
        'Only tools of type "function" are offered; the provider\'s own, such as web search, are not.',
        "tools",
      ),
    },
    () => one({}, World.chatBody({ tools: [{ type: "builtin_function", function: { name: "$web_search" } }] })),
  )
  refusedWith(
    "that is no JSON gets 400",
    {
      status: 400,
      error: invalid("The request body is not a JSON object of at most 256 members, nested at most 128 deep."),
    },
    () => one({}, '{"model":'),
  )
  refusedWith(
    "that is no UTF-8 gets 400",
    { status: 400, error: invalid("The request body is not valid UTF-8.") },
    () => one({}, Uint8Array.from([0x7b, 0xff, 0x7d])),
  )

  it.live("with a chunked body beyond the limit gets 413 and the process goes on", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice], settings: { bodyBytes: 10_000 } })
      const status = yield* Effect.callback<string>((resume) => {
        const socket = connect(Number(new URL(world.url).port), "127.0.0.1", () => {
          socket.write(
            `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${alice.token}\r\n` +
              "transfer-encoding: chunked\r\n\r\n",
          )
          for (let i = 0; i < 20; i++) socket.write(`3e8\r\n${"a".repeat(1_000)}\r\n`)
        })
        socket.once("data", (data) => {
          resume(Effect.succeed(data.toString().split("\r\n")[0] ?? ""))
          socket.destroy()
        })
        socket.on("error", () => {})
      })
      assert.strictEqual(status, "HTTP/1.1 413 Payload Too Large")
      assert.strictEqual((yield* World.chat(world, alice.token)).status, 200)
    }),
  )

  it.live("with a compressed body gets 415", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice] })
      const response = yield* Effect.promise(() =>
        World.post(world, alice.token, "x", {
          headers: { authorization: `Bearer ${alice.token}`, "content-encoding": "gzip" },
        }),
      )
      assert.strictEqual(response.status, 415)
    }),
  )

  it.live("anywhere else under /v1 gets 404 with what there is", () =>
    Effect.gen(function* () {
      const world = yield* World.start({ customers: [] })
      for (const path of ["/v1/responses", "/v1/files", "/anthropic/v1/messages", "/v1/chat/completions/x"]) {
        const response = yield* Effect.promise(() => fetch(`${world.url}${path}`, { method: "POST" }))
        assert.strictEqual(response.status, 404)
        assert.match(response.headers.get("x-request-id") ?? "", /^req_/)
        const { error } = (yield* Effect.promise(() => response.json())) as any
        assert.strictEqual(error.code, "unknown_url")
        assert.include(error.message, "POST /v1/chat/completions")
      }
    }),
  )
})

describe("an upstream that refuses", () => {
  const faced = (behaviour: Stub.Behaviour) =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice], behaviour })
      const answer = yield* World.chat(world, alice.token)
      const view = yield* world.settled(alice)
      return { answer, used: view.used, tries: world.stub.received.length, events: yield* world.events }
    })

  const rows: ReadonlyArray<
    readonly [name: string, behaviour: Stub.Behaviour, status: number, code: string | null, tries: number]
  > = [
    [
      "over our own quota is 424, never insufficient_quota, and not tried again",
      Stub.failing(
        429,
        "exceeded_current_quota_error",
        "Your account org-abc123 <ak-secret9> is suspended, please check your plan",
      ),
      424,
      "upstream_refused",
      1,
    ],
    [
      "of our own key is 424",
      Stub.failing(401, "invalid_authentication_error", `Invalid key ${World.upstreamKey}`),
      424,
      "upstream_refused",
      1,
    ],
    [
      "of a retired model is 424",
      Stub.failing(404, "resource_not_found_error", "not found"),
      424,
      "upstream_model_missing",
      1,
    ],
    [
      "of the request itself passes through as 400",
      Stub.failing(400, "invalid_request_error", "tool_choice is bad for org-abc123"),
      400,
      null,
      1,
    ],
    [
      "by rate is waited out and then 429",
      Stub.failing(429, "rate_limit_reached_error", "max RPM: 3, please try again after 0 seconds"),
      429,
      "rate_limit_exceeded",
      3,
    ],
    ["by being down, in HTML, is 503", Stub.html504, 503, "upstream_unavailable", 3],
    [
      "by a reset before the first byte is 503",
      (_received, response) => response.socket?.resetAndDestroy(),
      503,
      "upstream_unavailable",
      3,
    ],
  ]
  for (const [name, behaviour, status, code, tries] of rows) {
    it.live(`${name}; nothing is charged or held`, () =>
      Effect.gen(function* () {
        const seen = yield* faced(behaviour)
        assert.strictEqual(seen.answer.status, status)
        assert.strictEqual(seen.answer.json().error.code, code)
        assert.strictEqual(seen.tries, tries)
        assert.strictEqual(seen.used, 0)
        assert.deepStrictEqual(seen.events, [])
        for (const secret of ["org-abc123", "ak-secret9", World.upstreamKey, "insufficient_quota"]) {
          assert.notInclude(seen.answer.text, secret)
        }
      }),
    )
  }

  it.live("once, before the first byte, is not seen by the client", () =>
    Effect.gen(function* () {
      const seen = yield* faced(
        Stub.inTurn(
          Stub.failing(429, "engine_overloaded_error", "overloaded"),
          Stub.answering({ prompt: 10, completion: 5 }),
        ),
      )
      assert.strictEqual(seen.answer.status, 200)
      assert.strictEqual(seen.used, 15)
      assert.strictEqual(seen.tries, 2)
    }),
  )
})

describe("a store that goes away", () => {
  it.live("lets nobody through, not even a caller who is known", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const down = { now: false }
      const world = yield* World.start({ customers: [alice], allowance: flaky(down) })
      assert.strictEqual((yield* World.chat(world, alice.token)).status, 200)
      yield* world.settled(alice)
      down.now = true
      assert.strictEqual((yield* World.chat(world, alice.token)).status, 503)
      assert.strictEqual(world.stub.received.length, 1)
    }),
  )
})

describe("a store that is away at settlement", () => {
  it.live("gets the settlement later, once, and the hold is kept until then", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const down = { now: false }
      const world = yield* World.start({
        customers: [alice],
        allowance: flaky(down),
        behaviour: (received, response) => {
          down.now = true
          Stub.answering({ prompt: 10, completion: 5 })(received, response)
        },
      })
      assert.strictEqual((yield* World.chat(world, alice.token)).status, 200)
      yield* Effect.sleep(150)
      assert.isAbove((yield* world.view(alice)).held, 0)
      down.now = false
      const view = yield* world.settled(alice)
      assert.strictEqual(view.used, 15)
      assert.strictEqual((yield* world.events).length, 1)
    }),
  )
})
