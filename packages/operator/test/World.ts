/** A whole operator on memory layers, and jobs as control would make them, for tests of behaviour. */
import { type AgentEvent, AgentEvents } from "@berth/domain/AgentEvents"
import { ExportStore } from "@berth/domain/Exports"
import { CustomerId } from "@berth/domain/Ids"
import { type Desired, type Job, JobJson } from "@berth/domain/Jobs"
import { JobQueue } from "@berth/domain/JobQueue"
import { Opener, Sealer } from "@berth/domain/Seal"
import * as Age from "age-encryption"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { BotTokens, type Verdict } from "../src/BotTokens.ts"
import { Cluster } from "../src/Cluster.ts"
import { layerMemory, type MemoryOptions } from "../src/Cluster/Memory.ts"
import type { PodProcess } from "../src/Cluster/Pods.ts"
import { Exporting } from "../src/Exporting.ts"
import { Lead } from "../src/Lead.ts"
import * as Operator from "../src/Operator.ts"
import { PodHttp } from "../src/PodHttp.ts"
import { Settings } from "../src/Settings.ts"

export const ada = CustomerId.make("ada")
export const identity = await Age.generateIdentity()
export const recipient = await Age.identityToRecipient(identity)

export const secretValues = {
  proxyToken: "bth_test_proxy_token_value",
  botToken: "4242:test-bot-token-value",
  gatewayToken: "test-gateway-token-value",
} as const

export const desiredState: Desired = {
  tier: "pro",
  models: ["kimi-k2.6", "kimi-k2.7-code"],
  imageChannel: "stable",
  telegram: { botUsername: "ada_bot", allowedUserIds: ["4242"] },
  suspended: [],
  secrets: { proxyToken: 1, botToken: 1, gatewayToken: 1 },
}

export const spec = { ...desiredState, generation: 1 }
export const secrets = {
  proxyToken: Redacted.make<string>(secretValues.proxyToken),
  botToken: Redacted.make<string>(secretValues.botToken),
  gatewayToken: Redacted.make<string>(secretValues.gatewayToken),
}

/** A job with every envelope, as its text on the list. */
export const jobText = Effect.fn(function* (
  options: {
    readonly customerId?: CustomerId
    readonly sealedFor?: CustomerId
    readonly generation?: number
    readonly reason?: Job["reason"]
    readonly desired?: Partial<Desired>
    /** Other secrets than `secretValues`. */
    readonly values?: Partial<Record<keyof typeof secretValues, string>>
  } = {},
) {
  const { customerId = ada, generation = 1, reason = "provision" } = options
  const desired: Desired = { ...desiredState, ...options.desired }
  const sealer = yield* Sealer
  const seal = (purpose: keyof typeof secretValues) =>
    sealer.seal(
      { customerId: options.sealedFor ?? customerId, purpose, version: desired.secrets[purpose] },
      Redacted.make<string>(options.values?.[purpose] ?? secretValues[purpose]),
    )
  const job: Job = {
    v: 1,
    id: `job-${customerId}-${generation}`,
    reason,
    customerId,
    generation,
    desired,
    sealed: [yield* seal("proxyToken"), yield* seal("botToken"), yield* seal("gatewayToken")],
    enqueuedAt: 0,
  }
  return yield* Schema.encodeEffect(JobJson)(job)
})

export const pushJob = Effect.fn(function* (options: Parameters<typeof jobText>[0] = {}) {
  const text = yield* jobText(options)
  const queue = yield* JobQueue
  yield* queue.push(text)
  return text
})

/** How often the operator wrote to the cluster, and what. */
export class Writes extends Context.Service<Writes, { readonly log: Array<string> }>()("@berth/operator/test/Writes") {}

const counted = Layer.effectContext(
  Effect.gen(function* () {
    const cluster = yield* Cluster
    const log: Array<string> = []
    const note = (what: string) => Effect.sync(() => void log.push(what))
    return Context.make(Writes, { log }).pipe(
      Context.add(Cluster, {
        ...cluster,
        apply: (manifest, options) =>
          (options?.manager === undefined
            ? note(`apply ${manifest.kind} ${manifest.metadata.name}`)
            : Effect.void
          ).pipe(Effect.andThen(cluster.apply(manifest, options))),
        merge: (ref, patch) => note(`merge ${ref.kind} ${ref.name}`).pipe(Effect.andThen(cluster.merge(ref, patch))),
        remove: (ref, options) =>
          note(`remove ${ref.kind} ${ref.name}`).pipe(Effect.andThen(cluster.remove(ref, options))),
        patchStatus: (name, status, place) =>
          note(`status ${name}`).pipe(Effect.andThen(cluster.patchStatus(name, status, place))),
      }),
    )
  }),
)

export const configured = ConfigProvider.layer(ConfigProvider.fromUnknown({}))

export interface WorldOptions extends MemoryOptions {
  /** What runs in the pods of export Jobs; says that it wrote something, unless told. */
  readonly exports?: PodProcess
  /** Whether the store holds what was written; it does, unless told. */
  readonly holds?: ExportStore["Service"]["holds"]
  /** What Telegram says of bots' tokens; nothing clear, unless told. */
  readonly verdict?: () => Verdict
}

export const written = { size: 4_711, sha256: "ab".repeat(32) }
const writes: PodProcess = () => Effect.succeed(JSON.stringify({ _tag: "Written", ...written }))

/** A store that takes everything. Nothing real is written, so nothing of it is read. */
export const exporting = (holds: WorldOptions["holds"] = () => Effect.succeed(true)) =>
  Exporting.layer(recipient).pipe(
    Layer.provide(
      Layer.mock(ExportStore)({
        destination: (key) =>
          Effect.succeed(Redacted.make({ parts: [`https://store.test/${key}?signature=secret`] as const })),
        holds,
      }),
    ),
  )

/** Where no agent can be asked how it does. */
export const unasked = Layer.merge(PodHttp.layerNone, BotTokens.layerMemory())

/** Everything that outlives an operator process: cluster, queue, events, exports. */
export const world = ({ exports = writes, holds, process, verdict, ...options }: WorldOptions = {}) =>
  Layer.mergeAll(
    counted.pipe(
      Layer.provideMerge(
        layerMemory({
          ...options,
          process: (pod, node) => (pod.ends ? exports(pod, node) : (process?.(pod, node) ?? Effect.void)),
        }),
      ),
    ),
    exporting(holds),
    BotTokens.layerMemory(verdict),
    JobQueue.layerMemory,
    AgentEvents.layerMemory,
    Sealer.layer(recipient),
    Opener.layer(Redacted.make(identity)),
    Settings.layerOf(),
    Lead.layerMemory,
    configured,
  )

/** A world with one operator at work in it. */
export const operating = (options: WorldOptions = {}) => Operator.layer.pipe(Layer.provideMerge(world(options)))

/** Lets time pass in small steps, so that every fiber that waits for it has its turn. */
export const pass = (seconds: number) =>
  Effect.gen(function* () {
    for (let step = 0; step < seconds * 10; step++) {
      yield* TestClock.adjust("100 millis")
      yield* settle
    }
  })

/** Sealing and opening are promises of the age library: real turns of the event loop, not the test's clock. */
const settle = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Lets time pass until something holds; gives up after 20 s of real time, since opening a seal takes some. */
export const until = Effect.fn(function* <A, E, R>(what: string, check: Effect.Effect<Option.Option<A>, E, R>) {
  for (const started = performance.now(); performance.now() - started < 20_000;) {
    const found = yield* check
    if (Option.isSome(found)) return found.value
    yield* TestClock.adjust("100 millis")
    yield* settle
  }
  return yield* Effect.die(new Error(`never: ${what}`))
})

export const agentOf = Effect.fn(function* (customerId: CustomerId) {
  const cluster = yield* Cluster
  return yield* cluster.get({ kind: "Agent", name: customerId })
})

/** Waits until the Agent stands for the generation in the phase. */
export const reaches = Effect.fn(function* (customerId: CustomerId, phase: string, generation = 1) {
  return yield* until(
    `${customerId} ${phase} at ${generation}`,
    agentOf(customerId).pipe(
      Effect.map(
        Option.filter((agent) => {
          const status = agent.status as { phase?: string; observedGeneration?: number } | undefined
          return status?.phase === phase && status.observedGeneration === generation
        }),
      ),
    ),
  )
})

/** Every event reported so far, in order, without repeats: as a consumer that ignores what is not newer sees them. */
export const reported = Effect.gen(function* () {
  const events = yield* AgentEvents
  const all: Array<AgentEvent> = []
  while (true) {
    const batch = yield* events
      .take(100)
      .pipe(Effect.timeoutOption("1 millis"), (one) =>
        Effect.raceFirst(one, pass(2).pipe(Effect.as(Option.none<never>()))),
      )
    if (Option.isNone(batch) || batch.value.length === 0) break
    yield* events.acknowledge(batch.value.map(({ id }) => id))
    all.push(...batch.value.map(({ event }) => event))
  }
  let last = -1
  return all.filter(({ seq }) => {
    const fresh = seq > last
    last = Math.max(last, seq)
    return fresh
  })
})
