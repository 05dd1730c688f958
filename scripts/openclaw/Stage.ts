/**
 * All that a row needs, started once: Redis, a scripted upstream, the proxy as a process of its own, the relay before it,
 * Telegram, the agent; and one customer whose standing a row changes under way, as billing would. Everything that was
 * started ends with the scope.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Allowance, type AllowanceSnapshot, type AllowanceTerms } from "@berth/domain/Allowance"
import * as AllowanceRedis from "@berth/domain/live/AllowanceRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import * as SwitchesRedis from "@berth/domain/live/SwitchesRedis"
import * as UsageEventsRedis from "@berth/domain/live/UsageEventsRedis"
import { startRedis } from "@berth/domain/testing/RedisServer"
import { Switches } from "@berth/domain/Switches"
import type { UsageEvent } from "@berth/domain/Usage"
import { UsageEvents } from "@berth/domain/UsageEvents"
import * as Context from "effect/Context"
import { freePorts } from "@berth/domain/testing/FreePorts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stub from "../../packages/proxy/test/StubUpstream.ts"
import { customer } from "../../packages/proxy/test/World.ts"
import * as Agent from "./Agent.ts"
import * as Child from "./Child.ts"
import { folder as installation } from "./Install.ts"
import * as Relay from "./Relay.ts"
import * as Telegram from "./Telegram.ts"

export interface StageOptions {
  readonly say: (line: string) => void
}

/** As shipped, but with the heartbeat on: it beats when a row lets it, and by itself once a day. */
const changes = { agents: { defaults: { heartbeat: { every: "24h" } } } }

const freePort = Effect.map(
  Effect.promise(() => freePorts(1)),
  ([port = 0]) => port,
)

const opened = (port: number): Effect.Effect<boolean> =>
  Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}/v1/models`).then(
      () => true,
      () => false,
    ),
  )

/** What the upstream reports for each answer. */
export const counts = { prompt: 9_000, completion: 40 }
/** What it answers while no row says otherwise; the user sees `normal`. */
export const ordinary = Stub.streaming(counts, { words: 4, pauseMillis: 20 })
export const normal = /^word0 word1/

export const open = Effect.fnUntraced(function* ({ say }: StageOptions) {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-openclaw-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 })),
  )
  // The agent's user has to pass through it.
  yield* Effect.sync(() => chmodSync(folder, 0o755))
  const redis = yield* startRedis({ appendonly: true, parent: folder })
  const script = { behaviour: ordinary }
  const upstream = yield* Stub.start((received, response) => script.behaviour(received, response))

  const who = customer("e2e-agent", { plan: 50_000_000 })
  const proxyPort = yield* freePort
  const opsPort = yield* freePort
  const scope = yield* Effect.scope
  const proxyLog = join(folder, "proxy.log")
  const startProxy = Effect.gen(function* () {
    const child = yield* Child.start({
      args: [join(import.meta.dirname, "ProxyProcess.ts")],
      cwd: folder,
      log: proxyLog,
      patienceMillis: 60_000,
      env: {
        PATH: process.env.PATH ?? "",
        REDIS_URL: redis.url,
        KIMI_API_KEY: "sk-e2e-upstream-key",
        KIMI_BASE_URL: upstream.baseUrl,
        PUBLIC_URL: "https://berth.example",
        PROXY_PORT: String(proxyPort),
        PROXY_OPS_PORT: String(opsPort),
        E2E_CUSTOMER: JSON.stringify(who.snapshot),
      },
    }).pipe(Scope.provide(scope))
    for (let waited = 0; !(yield* opened(proxyPort)); waited++) {
      if (!child.alive() || waited > 300) return yield* Effect.die(`the proxy did not start, see ${proxyLog}`)
      yield* Effect.sleep(100)
    }
    return child
  })
  const proxy = { child: yield* startProxy, start: startProxy }
  const relay = yield* Relay.start(`http://127.0.0.1:${proxyPort}`)

  const stores = yield* Layer.build(
    Layer.mergeAll(AllowanceRedis.layer, SwitchesRedis.layer, UsageEventsRedis.layer).pipe(
      Layer.provideMerge(RedisClient.layerOf(Redacted.make(redis.url))),
    ),
  )
  const allowance = Context.get(stores, Allowance)
  const switches = Context.get(stores, Switches)
  const usageEvents = Context.get(stores, UsageEvents)
  yield* allowance.rebuild(who.snapshot)
  const view = Effect.map(allowance.view(who.customerId), Option.getOrThrow)
  const standing: AllowanceTerms = who.snapshot.terms
  let rev = who.snapshot.rev

  /** The customer's terms become these from now on, as by a change of billing's. */
  const become = (terms: Partial<AllowanceTerms>) =>
    Effect.gen(function* () {
      const change = { customerId: who.customerId, rev: ++rev, period: 0, packsDelta: 0 }
      const applied = yield* allowance.apply({ ...change, terms: { ...standing, ...terms } })
      if (applied !== "applied") return yield* Effect.die(`the change was not applied: ${applied}`)
    })
  /** The whole hash becomes this, as after a loss. */
  const replace = (snapshot: Partial<AllowanceSnapshot>) =>
    Effect.gen(function* () {
      yield* allowance.forget(who.customerId)
      yield* allowance.rebuild({ ...who.snapshot, rev: ++rev, ...snapshot })
    })

  const telegram = yield* Telegram.start
  const agentPort = yield* freePort
  let agents = 0
  const startAgent = Effect.gen(function* () {
    say(`starting OpenClaw${agents === 0 ? "" : " anew"}`)
    return yield* Agent.start({
      folder: join(folder, `agent-${agents++}`),
      port: agentPort,
      proxyUrl: `${relay.url}/v1`,
      proxyToken: who.token,
      telegramApiRoot: telegram.apiRoot,
      botToken: telegram.token,
      allowedUserId: String(Telegram.person.id),
      compileCache: join(installation, "compile-cache"),
      changes,
    }).pipe(Scope.provide(scope))
  })
  const agent = { now: yield* startAgent }
  let peak = 0
  const peakMiB = () => {
    peak = Math.max(peak, agent.now.peakMiB())
    return peak
  }

  return {
    redis,
    upstream,
    script,
    proxy,
    relay,
    telegram,
    allowance,
    switches,
    who,
    view,
    standing,
    become,
    replace,
    agent,
    /** The most memory that OpenClaw took so far, in MiB. */
    peakMiB,
    /** A new agent with an empty state: one that was locked out stays so for minutes. */
    renewAgent: Effect.gen(function* () {
      peakMiB()
      yield* agent.now.stop
      agent.now = yield* startAgent
    }),
    events: Effect.map(usageEvents.after({ epoch: "", cursor: "0-0" }, 10_000), (taken): ReadonlyArray<UsageEvent> =>
      taken.events.map((one) => one.event),
    ),
  }
})

export type Stage = Effect.Success<ReturnType<typeof open>>
