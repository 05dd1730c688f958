/**
 * `npm run bench:operator [-- --agents N] [--json]`: what the operator costs and how soon it is done, on a real apiserver
 * with fake nodes. The operator is a process of its own with its own rights; everything is measured from outside. Prints
 * Markdown; ends with 1 if a bound is missed.
 */
import { join } from "node:path"
import { CustomerId } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import * as JobQueueRedis from "@berth/domain/live/JobQueueRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import { Sealer } from "@berth/domain/Seal"
import { startRedisWithUsers } from "@berth/domain/testing/RedisUsers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Cluster } from "../src/Cluster.ts"
import { ControlPlane } from "../test/cluster/ControlPlane.ts"
import { type OperatorProcess, start, untilReady } from "../test/OperatorProcess.ts"
import { clusterOf, operatorAccount, prepare } from "../test/RealCluster.ts"
import { jobText, recipient } from "../test/World.ts"
import { bareLoop } from "./Bare.ts"
import { watching } from "./Watching.ts"

const args = process.argv.slice(2)
if (args.includes("--help")) {
  console.log(
    "usage: npm run bench:operator [-- --agents N] [--json]\n\n  --agents N  how many agents stand in the end (500)",
  )
  process.exit(0)
}
const agents = Number(args.includes("--agents") ? args[args.indexOf("--agents") + 1] : 500)
const say = (line: string) => process.stderr.write(`${line}\n`)

const quantile = (values: ReadonlyArray<number>, share: number): number =>
  [...values].sort((one, other) => one - other)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

const named = (name: string, count: number) =>
  Array.from({ length: Math.round(count) }, (_, one) => CustomerId.make(`${name}-${one}`))

/** A share of the agents each: made by the bare loop before and after, one at a time, and all at once. */
const warm = named("warm", agents * 0.05)
const before = named("before", agents * 0.2)
const idle = named("idle", agents * 0.05)
const sustained = named("sustained", agents * 0.5)
const after = named("after", agents - warm.length - before.length - idle.length - sustained.length)
/** How many are deleted at once, and how many are bought meanwhile. */
const leaving = sustained.slice(0, Math.min(300, sustained.length)).concat(before).slice(0, 300)
const bought = named("bought", 5)

/** Requests of a process, by whether they read or write. Watches last, and the lead is kept by others. */
const requestsOf = (metrics: ReadonlyMap<string, number>) => {
  const sum = (isCounted: (name: string) => boolean) =>
    [...metrics].reduce(
      (total, [name, value]) =>
        name.startsWith("berth_operator_api_requests_total") && !name.includes('kind="Lease"') && isCounted(name)
          ? total + value
          : total,
      0,
    )
  return {
    reads: sum((name) => name.includes('verb="GET"')),
    writes: sum((name) => !/verb="(?:GET|WATCH)"/.test(name)),
  }
}

const sumOf = (metrics: ReadonlyMap<string, number>, name: string, label: string): number =>
  [...metrics].reduce((total, [one, value]) => (one.startsWith(name) && one.includes(label) ? total + value : total), 0)

const phase = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const began = performance.now()
    const result = yield* effect
    say(`${what}: ${((performance.now() - began) / 1_000).toFixed(1)} s`)
    return result
  })

const collecting = { NODE_OPTIONS: `--import=${join(import.meta.dirname, "Collect.ts")}` }

const bench = Effect.gen(function* () {
  const plane = yield* ControlPlane.make({ nodes: Math.ceil(agents / 400) + 1 })
  yield* prepare(plane)
  const redis = yield* startRedisWithUsers
  const queue = yield* Layer.build(
    JobQueueRedis.layer.pipe(Layer.provide(RedisClient.layerOf(redis.urlOf("admin")))),
  ).pipe(
    Effect.map((context) => Effect.provideContext(JobQueue, context)),
    Effect.flatten,
  )
  const kubeconfig = yield* plane.kubeconfig(operatorAccount)
  const reach = (file: string) =>
    Layer.build(clusterOf(file)).pipe(
      Effect.map((context) => Effect.provideContext(Cluster, context)),
      Effect.flatten,
    )
  const admin = yield* reach(plane.admin)
  // Nobody else may write an Agent.
  const own = yield* reach(kubeconfig)
  const { until } = yield* watching(admin)
  const operator = (env: Record<string, string> = {}) =>
    Effect.gen(function* () {
      const one = yield* start({
        kubeconfig,
        redisUrl: Redacted.value(redis.urlOf("operator")),
        // Pods of fake nodes start at once and cost nothing, so nothing is gained by making them wait.
        env: {
          MAX_STARTS: "1000",
          RESYNC_INTERVAL: "1 hour",
          ...collecting,
          ...env,
        },
      })
      yield* untilReady(one)
      return one
    })
  const texts = (customers: ReadonlyArray<CustomerId>, options: Parameters<typeof jobText>[0] = {}) =>
    Effect.forEach(customers, (customerId) => jobText({ ...options, customerId })).pipe(
      Effect.provide(Sealer.layer(recipient)),
    )
  const settled = (one: OperatorProcess) =>
    Effect.gen(function* () {
      for (let calm = 0; calm < 5;) {
        const metrics = yield* one.metrics
        const waiting = sumOf(metrics, "berth_operator_queue_depth", "lane=")
        const active = metrics.get('berth_operator_agents{phase="active"}') ?? 0
        const known = sumOf(metrics, "berth_operator_agents", "phase=")
        calm = waiting === 0 && active === known && known > 0 ? calm + 1 : 0
        yield* Effect.sleep("1 second")
      }
    })

  // The first hundred objects of a new apiserver are slow for everybody.
  yield* phase("warms up", bareLoop(own, warm))
  const bareFirst = yield* phase("bare loop", bareLoop(own, before))

  const nothing = { loose: 0, tight: 0 }
  const resident = { empty: nothing, full: nothing }
  /** As it is, and after everything was given back that holds nothing. */
  const memoryOf = (one: OperatorProcess) =>
    Effect.gen(function* () {
      yield* Effect.sleep("5 seconds")
      const loose = yield* one.resident
      process.kill(one.pid, "SIGUSR2")
      yield* Effect.sleep("3 seconds")
      return { loose, tight: yield* one.resident }
    })
  const measured = yield* Effect.scoped(
    Effect.gen(function* () {
      const one = yield* operator()
      yield* phase("adopts what stands", settled(one))
      const times: Array<{ readonly applied: number; readonly ready: number }> = []
      const jobs = yield* texts(idle)
      for (const [index, customer] of idle.entries()) {
        const began = performance.now()
        yield* queue.push(jobs[index] ?? "")
        times.push({
          applied: (yield* until(customer, "applied")) - began,
          ready: (yield* until(customer, "ready")) - began,
        })
        yield* Effect.sleep("300 millis")
      }
      const many = yield* texts(sustained)
      const from = requestsOf(yield* one.metrics)
      const began = performance.now()
      const provisions = yield* phase(
        "sustained",
        Effect.gen(function* () {
          yield* Effect.forEach(many, (text) => queue.push(text), { discard: true })
          yield* Effect.forEach(sustained, (customer) => until(customer, "applied"), { discard: true })
          const rate = (1_000 * sustained.length) / (performance.now() - began)
          yield* Effect.forEach(sustained, (customer) => until(customer, "ready"), { discard: true })
          return { rate, ready: (1_000 * sustained.length) / (performance.now() - began) }
        }),
      )
      yield* phase("settles", settled(one))
      const to = requestsOf(yield* one.metrics)
      yield* one.end("SIGTERM")
      const requests = {
        reads: (to.reads - from.reads) / sustained.length,
        writes: (to.writes - from.writes) / sustained.length,
      }
      return { times, provisions, requests }
    }),
  )

  const bareLast = yield* phase("bare loop again", bareLoop(own, after))

  const resynced = yield* Effect.scoped(
    Effect.gen(function* () {
      const one = yield* operator({ RESYNC_INTERVAL: "15 seconds" })
      yield* phase("adopts what stands", settled(one))
      const count = Effect.map(one.metrics, (metrics) => ({
        writes: requestsOf(metrics).writes,
        looks: sumOf(metrics, "berth_operator_reconciles_total", 'lane="resync"'),
      }))
      const from = yield* count
      let to = from
      while (to.looks - from.looks < 2 * agents) {
        yield* Effect.sleep("1 second")
        to = yield* count
      }
      yield* one.end("SIGTERM")
      return { looks: to.looks - from.looks, writes: to.writes - from.writes }
    }),
  )

  const flood = yield* Effect.scoped(
    Effect.gen(function* () {
      const one = yield* operator()
      yield* phase("adopts what stands", settled(one))
      resident.full = yield* memoryOf(one)
      const away = yield* texts(leaving, {
        generation: 2,
        reason: "deprovision",
        desired: { deletion: { confirmedGeneration: 2, exportWaived: true } },
      })
      const jobs = yield* texts(bought)
      yield* Effect.forEach(away, (text) => queue.push(text), { discard: true })
      const delays: Array<number> = []
      for (const [index, customer] of bought.entries()) {
        const began = performance.now()
        yield* queue.push(jobs[index] ?? "")
        delays.push((yield* until(customer, "applied")) - began)
        yield* Effect.sleep("1 second")
      }
      const left = (yield* admin.list("Agent")).items.length
      yield* one.end("SIGKILL")
      return { delays, left }
    }),
  )

  // A process with nothing to keep, for what each agent adds.
  resident.empty = yield* Effect.scoped(
    Effect.gen(function* () {
      const other = yield* ControlPlane.make({ nodes: 1 })
      yield* prepare(other)
      const one = yield* start({
        kubeconfig: yield* other.kubeconfig(operatorAccount),
        redisUrl: Redacted.value((yield* startRedisWithUsers).urlOf("operator")),
        env: collecting,
      })
      yield* untilReady(one)
      return yield* memoryOf(one)
    }),
  )
  return { ...measured, resynced, flood, resident, bare: { first: bareFirst, last: bareLast } }
})

const { bare, flood, provisions, requests, resident, resynced, times } = await Effect.runPromise(Effect.scoped(bench))

const applied = times.map((one) => one.applied)
const ready = times.map((one) => one.ready)
const bareRate = (bare.first + bare.last) / 2
const share = provisions.rate / bareRate
const delay = Math.max(...flood.delays) - quantile(applied, 0.5)
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`
const memory = (when: keyof typeof resident) => `${mib(resident[when].loose)} (${mib(resident[when].tight)} in use)`

const bounds = [
  { what: "job → last apply, idle, p50", value: quantile(applied, 0.5), unit: "ms", bound: 300, holds: "below" },
  { what: "provisions/s against a bare loop", value: 100 * share, unit: "%", bound: 70, holds: "at least" },
  { what: "writes of a resync", value: resynced.writes, unit: "", bound: 1, holds: "below" },
  { what: "delay by 300 deletions, worst", value: delay, unit: "ms", bound: 2_000, holds: "below" },
] as const
const missed = bounds.filter(({ bound, holds, value }) => (holds === "below" ? value >= bound : value < bound))

const rows = [
  [
    "job → last apply, idle",
    `p50 ${quantile(applied, 0.5).toFixed(0)} ms, p95 ${quantile(applied, 0.95).toFixed(0)} ms`,
  ],
  [
    "job → Ready on fake nodes, idle",
    `p50 ${quantile(ready, 0.5).toFixed(0)} ms, p95 ${quantile(ready, 0.95).toFixed(0)} ms`,
  ],
  [
    `provisions/s, ${sustained.length} at once`,
    `${provisions.rate.toFixed(1)} (to Ready ${provisions.ready.toFixed(1)})`,
  ],
  [
    "bare apply loop, agents/s",
    `${bareRate.toFixed(1)} (${bare.first.toFixed(1)} before, ${bare.last.toFixed(1)} after)`,
  ],
  ["of the bare loop", `${(100 * share).toFixed(0)}%`],
  ["requests a provision", `${requests.writes.toFixed(1)} writes, ${requests.reads.toFixed(1)} reads`],
  ["resync", `${resynced.looks} looks at ${agents} unchanged agents, ${resynced.writes} writes`],
  [
    `job → last apply during ${leaving.length} deletions`,
    `${flood.delays.map((one) => one.toFixed(0)).join(", ")} ms (${flood.left} Agents still stand)`,
  ],
  [
    "memory (RSS)",
    `${memory("empty")} without agents, ${memory("full")} with ${agents}: ${((resident.full.tight - resident.empty.tight) / 1_024 / agents).toFixed(0)} KiB an agent`,
  ],
]
if (args.includes("--json"))
  console.log(
    JSON.stringify({
      ok: missed.length === 0,
      agents,
      applied,
      ready,
      provisions,
      requests,
      bare,
      resynced,
      flood,
      resident,
    }),
  )
else {
  console.log(`# The operator with ${agents} agents\n\n| | |\n|---|---|`)
  for (const [what, value] of rows) console.log(`| ${what} | ${value} |`)
  for (const { bound, holds, unit, value, what } of missed)
    console.log(`\nmissed: ${what} is ${value.toFixed(1)}${unit}, not ${holds} ${bound}${unit}`)
}
process.exit(missed.length === 0 ? 0 : 1)
