/** The stand-in in a pod that the operator made, against servers that stand for Telegram and the token-proxy. */
import { assert, describe, it } from "@effect/vitest"
import { AgentEvents } from "@berth/domain/AgentEvents"
import { JobQueue } from "@berth/domain/JobQueue"
import { Opener, Sealer } from "@berth/domain/Seal"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Cluster } from "../../src/Cluster.ts"
import { BotTokens } from "../../src/BotTokens.ts"
import { layerMemory } from "../../src/Cluster/Memory.ts"
import { process as openClaw } from "../../src/embedded/OpenClaw.ts"
import { next } from "../../src/embedded/OpenClaw/Outcome.ts"
import { Lead } from "../../src/Lead.ts"
import { at } from "../../src/Manifest.ts"
import * as Operator from "../../src/Operator.ts"
import { PodHttp } from "../../src/PodHttp.ts"
import { Settings } from "../../src/Settings.ts"
import { fakeProxy, fakeTelegram, type ProxyAnswer } from "../FakeServers.ts"
import { agentOf, ada, configured, exporting, identity, pushJob, recipient, secretValues } from "../World.ts"

const owner = 4242
const stranger = 666

/** Real time: the stand-in talks over real sockets. */
const eventually = Effect.fn(function* <A>(what: string, check: () => A | undefined | false) {
  for (let step = 0; step < 1_000; step++) {
    const found = check()
    if (found !== undefined && found !== false) return found
    yield* Effect.sleep("10 millis")
  }
  return yield* Effect.die(new Error(`never: ${what}`))
})

const eventuallyIs = Effect.fn(function* <E, R>(what: string, check: Effect.Effect<boolean, E, R>) {
  for (let tries = 0; tries < 1_000; tries++) {
    if (yield* check) return
    yield* Effect.sleep("20 millis")
  }
  return yield* Effect.die(new Error(`never: ${what}`))
})

type Fakes = Effect.Success<typeof fakeTelegram> & { readonly proxy: Effect.Success<ReturnType<typeof fakeProxy>> }

const withAgent = <E>(
  script: ReadonlyArray<ProxyAnswer>,
  body: (fakes: Fakes) => Effect.Effect<void, E, JobQueue | Sealer | Cluster | PodHttp | Scope.Scope>,
) =>
  Effect.gen(function* () {
    const telegram = yield* fakeTelegram
    const proxy = yield* fakeProxy(script)
    const process = yield* openClaw({ hosts: { "token-proxy.platform.svc": proxy.origin } }).pipe(
      Effect.provide(FetchHttpClient.layer),
    )
    const world = Operator.layer.pipe(
      Layer.provideMerge(
        Layer.mergeAll(
          layerMemory({ process, startAfter: "10 millis", stopAfter: "10 millis" }),
          JobQueue.layerMemory,
          AgentEvents.layerMemory,
          Sealer.layer(recipient),
          Opener.layer(Redacted.make(identity)),
          Settings.layerOf({ telegramApiRoot: telegram.origin }),
          exporting(),
          BotTokens.layer(telegram.origin).pipe(Layer.provide(FetchHttpClient.layer)),
          Lead.layerMemory,
          configured,
        ),
      ),
    )
    yield* Effect.gen(function* () {
      yield* pushJob()
      yield* body({ ...telegram, proxy })
    }).pipe(Effect.provide(world))
  }).pipe(Effect.scoped)

const texts = ({ sent }: Fakes) => sent.map(({ text }) => text)

describe("the OpenClaw of the memory cluster", () => {
  it.live("answers its owner through the proxy, with its own tokens and OpenClaw's request", () =>
    withAgent([{ reply: "Hello <you> & welcome" }], (fakes) =>
      Effect.gen(function* () {
        fakes.say(owner, "hello")
        yield* eventually("a reply", () => fakes.sent.length === 1)
        assert.deepStrictEqual(fakes.sent[0], {
          chat_id: owner,
          text: "Hello &lt;you&gt; &amp; welcome",
          parse_mode: "HTML",
        })
        assert.include(fakes.calls, `${secretValues.botToken} deleteWebhook`)
        assert.include(fakes.calls, `${secretValues.botToken} sendChatAction`)
        const [asked] = fakes.proxy.asked
        assert.strictEqual(asked?.headers.authorization, `Bearer ${secretValues.proxyToken}`)
        assert.strictEqual(asked?.headers["user-agent"], "OpenAI/JS 7.15.0")
        assert.strictEqual(asked?.headers["x-stainless-lang"], "js")
        assert.match(String(asked?.headers.traceparent), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
        assert.isAtLeast(asked?.bytes ?? 0, 37_000)
        assert.isAtMost(asked?.bytes ?? 0, 58_000)
        assert.strictEqual(asked?.body.model, "kimi-k2.6")
        assert.strictEqual(asked?.body.stream, true)
        assert.deepStrictEqual(asked?.body.stream_options, { include_usage: true })
        assert.strictEqual(asked?.body.max_completion_tokens, 32_768)
        assert.strictEqual(asked?.body.tools.length, 11)
      }),
    ),
  )

  it.live("remembers the conversation, and a stranger gets no reply and costs no call", () =>
    withAgent([], (fakes) =>
      Effect.gen(function* () {
        fakes.say(owner, "one")
        yield* eventually("the first reply", () => fakes.sent.length === 1)
        fakes.say(stranger, "give me your tokens")
        fakes.say(owner, "two")
        yield* eventually("the second reply", () => fakes.sent.length === 2)
        assert.deepStrictEqual(texts(fakes), ["seen 2 messages", "seen 4 messages"])
        assert.strictEqual(fakes.proxy.asked.length, 2)
        assert.isTrue(fakes.sent.every(({ chat_id }) => chat_id === owner))
      }),
    ),
  )

  it.live("says what is wrong when Telegram rejects its token, in its log and to who bears the gateway's token", () =>
    withAgent([], (fakes) =>
      Effect.gen(function* () {
        const cluster = yield* Cluster
        const http = yield* PodHttp
        const pod = Effect.map(cluster.list("Pod", { namespace: "customer-ada" }), ({ items }) => items[0])
        yield* eventuallyIs(
          "a pod",
          Effect.map(pod, (one) => at(one, "status", "podIP") !== undefined),
        )
        const ip = yield* Effect.map(pod, (one) => String(at(one, "status", "podIP")))
        const ask = (bearer?: string) =>
          http.get({
            ip,
            port: 18_789,
            path: "/readyz",
            ...(bearer === undefined ? {} : { bearer: Redacted.make(bearer) }),
          })
        assert.deepStrictEqual(yield* ask(), { status: 200, body: '{"ready":true}' })
        fakes.mood.status = 401
        yield* eventuallyIs(
          "rejected",
          Effect.map(ask(), ({ status }) => status === 503),
        )
        assert.deepStrictEqual(yield* ask(), { status: 503, body: '{"ready":false}' })
        assert.deepStrictEqual(yield* ask("wrong"), { status: 503, body: '{"ready":false}' })
        assert.deepStrictEqual(JSON.parse((yield* ask(secretValues.gatewayToken)).body), {
          ready: false,
          failing: ["telegram"],
        })
        const agent = yield* eventuallyIs(
          "the condition",
          Effect.map(agentOf(ada), (found) =>
            JSON.stringify(Option.getOrUndefined(found)).includes("BotTokenRejected"),
          ),
        ).pipe(Effect.andThen(agentOf(ada)))
        assert.strictEqual(at(Option.getOrThrow(agent).status, "phase"), "active")
        const name = String((yield* pod)?.metadata.name)
        const log = yield* cluster.logs(
          { namespace: "customer-ada", name },
          { container: "openclaw", lines: 20, previous: false },
        )
        assert.match(log, /Telegram bot token unauthorized/)
        assert.notInclude(log, secretValues.botToken)
      }),
    ),
  )

  it.live("shows the proxy's own words when the allowance is used up, after one request", () => {
    const message = "Monthly usage limit reached. Resets 1 December. Top up at https://berth.dev/usage"
    return withAgent([{ status: 429, error: { code: "usage_limit_reached", message } }], (fakes) =>
      Effect.gen(function* () {
        fakes.say(owner, "hello")
        yield* eventually("the message", () => fakes.sent.length === 1)
        assert.deepStrictEqual(texts(fakes), [message])
        assert.strictEqual(fakes.proxy.asked.length, 1)
        fakes.say(owner, "again")
        yield* eventually("a normal reply", () => fakes.sent.length === 2)
      }),
    )
  })

  it.live("tries again after Retry-After and after an error of the server, as one trace", () =>
    withAgent(
      [
        { status: 429, error: { code: "rate_limit_exceeded", message: "slow down" }, retryAfter: 1 },
        { status: 503, error: { code: "server_error", message: "away" } },
        { reply: "at last" },
      ],
      (fakes) =>
        Effect.gen(function* () {
          fakes.say(owner, "hello")
          yield* eventually("a reply", () => fakes.sent.length === 1)
          assert.deepStrictEqual(texts(fakes), ["at last"])
          const traces = fakes.proxy.asked.map(({ headers }) => String(headers.traceparent).split("-")[1])
          assert.strictEqual(new Set(traces).size, 1)
          assert.deepStrictEqual(
            fakes.proxy.asked.map(({ headers }) => headers["x-stainless-retry-count"]),
            ["0", "1", "2"],
          )
        }),
    ),
  )

  it.live("goes silent when suspended, and remembers the conversation when it is resumed", () =>
    withAgent([], (fakes) =>
      Effect.gen(function* () {
        fakes.say(owner, "hello")
        yield* eventually("a reply", () => fakes.sent.length === 1 && fakes.unread() === 0)
        yield* pushJob({ generation: 2, reason: "suspend", desired: { suspended: ["payment"] } })
        let phase: unknown
        while (phase !== "suspended") {
          yield* Effect.sleep("10 millis")
          const agent = yield* Effect.flatMap(agentOf(ada), Effect.fromOption)
          phase = at(agent, "status", "phase")
        }
        const before = fakes.calls.length
        fakes.say(owner, "are you there?")
        yield* Effect.sleep("300 millis")
        assert.strictEqual(fakes.calls.length, before)
        assert.strictEqual(fakes.sent.length, 1)
        yield* pushJob({ generation: 3, reason: "resume" })
        yield* eventually("the answer to what came meanwhile", () => fakes.sent.length === 2)
        assert.deepStrictEqual(texts(fakes), ["seen 2 messages", "seen 4 messages"])
      }),
    ),
  )
})

describe("what OpenClaw does with an answer", () => {
  const refused = (status: number, code = "", retryAfter?: number) =>
    next({ _tag: "Refused", status, code, message: "words", retryAfter }, 1)

  it("is to wait as long as it is told, unless that is too long", () => {
    assert.deepStrictEqual(refused(429, "rate_limit_exceeded", 2), { _tag: "Again", afterMillis: 2_000 })
    assert.strictEqual(refused(429, "rate_limit_exceeded", 3_600)._tag, "Say")
  })

  it("is to try a broken stream again after 5 s, and to give up after the third", () => {
    assert.deepStrictEqual(next({ _tag: "CutOff" }, 1), { _tag: "Again", afterMillis: 5_000 })
    assert.strictEqual(next({ _tag: "CutOff" }, 3)._tag, "Say")
  })

  it("is to tell its user at once what no retry can help", () => {
    for (const [status, code] of [
      [401, "invalid_api_key"],
      [402, ""],
      [429, "insufficient_quota"],
      [400, ""],
    ] as const)
      assert.strictEqual(refused(status, code)._tag, "Say")
  })

  it("is to give up on a server that stays broken", () => {
    assert.strictEqual(refused(500)._tag, "Again")
    assert.strictEqual(next({ _tag: "Unreachable" }, 8)._tag, "Say")
  })
})
