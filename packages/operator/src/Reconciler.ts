/**
 * Keeps every agent as it should be. Level-based: a watch on Agents and their objects says which agent to look at, never
 * what happened; a jittered resync looks at all of them, reports each one's phase and generation, and counts what no watch
 * had told.
 */
import { AgentEvents } from "@berth/domain/AgentEvents"
import { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { agentCrd } from "./Agent/Crd.ts"
import { Cluster } from "./Cluster.ts"
import { Exporting } from "./Exporting.ts"
import { Health } from "./Health.ts"
import * as KubernetesEvents from "./KubernetesEvents.ts"
import type { KindName } from "./Kinds.ts"
import type { Lane } from "./Lanes.ts"
import { at, refOf } from "./Manifest.ts"
import * as Metrics from "./Metrics.ts"
import type { News } from "./Observed.ts"
import { Nodes } from "./Nodes.ts"
import { Observing } from "./Observing.ts"
import { reconcile } from "./Reconcile.ts"
import { recorded } from "./Records.ts"
import { type OperatorSettings, Settings } from "./Settings.ts"
import * as Starts from "./Starts.ts"
import type { Tools } from "./Tools.ts"
import * as WorkQueue from "./WorkQueue.ts"

export interface LookOptions {
  /** Tell phase and generation even if nothing is new. */
  readonly report?: boolean
  /** How urgent it is; by what is known of the agent unless told. */
  readonly lane?: Lane
}

/** What fails again and again is tried at least so often. */
const longestDelay = 30_000

/**
 * A namespace that goes keeps the API server as busy as one that comes, for seconds, and nobody waits for it: so many at once
 * leave room for those who do.
 */
const mostEnds = 8

/** Of an agent that is being deleted, only these bring the deletion on. */
const endings: ReadonlySet<KindName> = new Set(["Agent", "Namespace", "PersistentVolume", "Pod", "Job"])

export class Reconciler extends Context.Service<
  Reconciler,
  {
    /** Looks at an agent soon. */
    look(customerId: CustomerId, options?: LookOptions): Effect.Effect<void>
    /** Watches, works and resyncs until interrupted. Only while leading. */
    readonly run: Effect.Effect<never>
    /** Agents waiting to be looked at. */
    readonly queue: Pick<WorkQueue.WorkQueue, "size" | "waiting" | "oldest">
    /** Agents that start now, and those that wait for a place. */
    readonly starts: Effect.Effect<{ readonly running: number; readonly waiting: number }>
  }
>()("@berth/operator/Reconciler") {
  /**
   * RESYNC_INTERVAL: how often every agent is looked at and reported (5 minutes). MAX_STARTS: how many agents start at once
   * (20): a start takes 16 to 20 CPU-seconds and up to 20 s, so that 20 at once keep about as many cores busy.
   */
  static readonly layer = Layer.effect(
    Reconciler,
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const events = yield* AgentEvents
      const settings = yield* Settings
      const health = yield* Health
      const exporting = yield* Exporting
      const { observed, synced } = yield* Observing
      const nodes = yield* Nodes
      const interval = yield* Config.Duration("RESYNC_INTERVAL").pipe(Config.withDefault(Duration.minutes(5)))
      const mostStarts = yield* Config.Int("MAX_STARTS").pipe(Config.withDefault(20))
      const queue = yield* WorkQueue.make(longestDelay)
      const witness = yield* KubernetesEvents.make(cluster)
      const toReport = new Set<string>()
      const decodeId = Schema.decodeUnknownOption(CustomerId)
      const hands: Tools["hands"] = new Map()
      let starts = Starts.make(mostStarts)
      let ends = Starts.make(mostEnds)

      const phaseOf = (customer: string) =>
        String(at(observed.get(customer, { kind: "Agent", name: customer }), "status", "phase") ?? "pending")
      const laneOf = (customer: string): Lane => {
        const phase = phaseOf(customer)
        if (phase === "pending" || phase === "provisioning") return "provision"
        return phase === "deprovisioning" || phase === "deleted" ? "destroy" : "change"
      }
      const see = ({ customer, kind }: News) => {
        const lane = laneOf(customer)
        if (lane !== "destroy" || endings.has(kind)) queue.add(customer, lane)
      }

      /** The settings, with the addresses of the nodes that the cluster has by now. */
      const settingsNow = (): OperatorSettings => ({
        ...settings,
        clusterRanges: [...new Set([...settings.clusterRanges, ...nodes.ranges()])],
      })

      const callNext = Effect.map(Clock.currentTimeMillis, (now) => {
        for (const customer of starts.called(now)) queue.add(customer, laneOf(customer))
        for (const customer of ends.called(now)) queue.add(customer, "destroy")
      })

      const work = (tools: Tools) =>
        Effect.fnUntraced(function* (key: string, lane: Lane) {
          const customerId = decodeId(key)
          if (Option.isNone(customerId)) return undefined
          const report = toReport.delete(key)
          const began = yield* Clock.currentTimeMillis
          const count = (outcome: string) =>
            Metric.update(Metric.withAttributes(Metrics.reconciles, { lane, outcome }), 1)
          const again = yield* reconcile(tools, customerId.value, { report, resync: lane === "resync" }).pipe(
            Effect.onError(() => {
              if (report) toReport.add(key)
              return count("failed")
            }),
          )
          yield* count("done")
          const took = (yield* Clock.currentTimeMillis) - began
          yield* Metric.update(Metric.withAttributes(Metrics.reconcileSeconds, { lane }), took / 1000)
          yield* callNext
          return again
        })

      const resync = Effect.gen(function* () {
        const ids = new Set([...observed.customers("Agent"), ...(yield* recorded(cluster))])
        for (const id of ids) {
          toReport.add(id)
          queue.add(id, "resync")
        }
      }).pipe(Effect.catch((error) => Effect.logWarning("resync failed; it is tried again at the next", error)))

      const resyncForever = Effect.gen(function* () {
        yield* resync
        yield* Effect.sleep(Math.round(Duration.toMillis(interval) * (0.8 + 0.4 * (yield* Random.next))))
      }).pipe(Effect.forever)

      /** The kind itself may be deleted by hand, and every Agent with it: it is put back, and they are, by their records. */
      const keepKind = Effect.gen(function* () {
        const found = yield* cluster.get(refOf(agentCrd))
        if (Option.isSome(found)) return
        yield* Effect.logError("the kind Agent is not known to the cluster; it is written again")
        yield* cluster.apply(agentCrd)
        yield* resync
      }).pipe(
        Effect.catch((error) => Effect.logWarning("whether the kind Agent stands could not be seen to", error)),
        Effect.andThen(Effect.sleep("10 seconds")),
        Effect.forever,
      )

      /** A start that never ends gives its place up by the time alone. */
      const callForever = Effect.sleep("5 seconds").pipe(Effect.andThen(callNext), Effect.forever)

      const lead = Effect.gen(function* () {
        yield* synced
        yield* nodes.synced
        // A new leader can't know what the one before it got out, nor who waits; who starts is seen.
        starts = Starts.make(mostStarts)
        ends = Starts.make(mostEnds)
        hands.clear()
        const now = yield* Clock.currentTimeMillis
        for (const customer of observed.customers("Deployment"))
          for (const one of observed.list(customer, "Deployment"))
            if (Number(at(one, "spec", "replicas")) > Number(at(one, "status", "readyReplicas") ?? 0))
              starts.claim(customer, now)
        for (const customer of observed.customers("Namespace"))
          if (observed.list(customer, "Namespace").some(({ metadata }) => metadata.deletionTimestamp !== undefined))
            ends.claim(customer, now)
        const tools: Tools = {
          cluster,
          events,
          get settings() {
            return settingsNow()
          },
          health,
          exporting,
          observed,
          starts,
          ends,
          witness,
          delivered: new Map(),
          secretsSeen: new Map(),
          forbidden: new Map(),
          hands,
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => observed.listen(see)),
          (stop) => Effect.sync(stop),
        )
        yield* Effect.acquireRelease(
          Effect.sync(() =>
            nodes.listen(() => {
              for (const customer of observed.customers("Agent")) queue.add(customer, "resync")
            }),
          ),
          (stop) => Effect.sync(stop),
        )
        return yield* Effect.all([queue.run(work(tools)), resyncForever, callForever], {
          concurrency: "unbounded",
          discard: true,
        })
      })

      const run = Effect.scoped(
        Effect.all([lead, keepKind], { concurrency: "unbounded", discard: true }).pipe(Effect.andThen(Effect.never)),
      )

      return Reconciler.of({
        look: (customerId, options) =>
          Effect.sync(() => {
            if (options?.report === true) toReport.add(customerId)
            // Whoever asks knows of something that no watch may have told yet.
            hands.delete(customerId)
            queue.add(customerId, options?.lane ?? laneOf(customerId))
          }),
        run,
        queue,
        starts: Effect.sync(() => starts.count()),
      })
    }),
  )
}
