/**
 * Keeps every agent as it should be. Level-based: a watch on Agents and their objects says which agent to look at, never
 * what happened; a jittered resync looks at all of them and reports each one's phase and generation. Secrets are not
 * watched, since that would take the right to read those of every namespace; the resync finds what changed there.
 */
import { AgentEvents } from "@berth/domain/AgentEvents"
import { CustomerId } from "@berth/domain/Ids"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { Cluster } from "./Cluster.ts"
import { customerLabel } from "./desired/Names.ts"
import { inform } from "./Inform.ts"
import type { KindName } from "./Kinds.ts"
import type { Stored } from "./Manifest.ts"
import { reconcile, type Tools } from "./Reconcile.ts"
import { recorded } from "./Records.ts"
import { Settings } from "./Settings.ts"
import * as WorkQueue from "./WorkQueue.ts"

/** Kinds whose changes lead to a look at their agent. */
const watched: ReadonlyArray<KindName> = [
  "Agent",
  "Namespace",
  "RoleBinding",
  "ServiceAccount",
  "ConfigMap",
  "ResourceQuota",
  "LimitRange",
  "NetworkPolicy",
  "PersistentVolumeClaim",
  "Service",
  "Deployment",
  "Pod",
]

/** Agents worked on at once. */
const concurrency = 8

const reconciles = Metric.counter("berth_operator_reconciles_total", { incremental: true })
const failures = Metric.counter("berth_operator_reconcile_failures_total", { incremental: true })

export class Reconciler extends Context.Service<
  Reconciler,
  {
    /** Looks at an agent soon; with `report`, tells its phase and generation even if nothing is new. */
    look(customerId: CustomerId, options?: { readonly report?: boolean }): Effect.Effect<void>
    /** Watches, works and resyncs until interrupted. Only while leading. */
    readonly run: Effect.Effect<never>
    /** Agents waiting to be looked at. */
    readonly backlog: Effect.Effect<number>
  }
>()("@berth/operator/Reconciler") {
  /** RESYNC_INTERVAL: how often every agent is looked at and reported (5 minutes). */
  static readonly layer = Layer.effect(
    Reconciler,
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const events = yield* AgentEvents
      const settings = yield* Settings
      const interval = yield* Config.Duration("RESYNC_INTERVAL").pipe(Config.withDefault(Duration.minutes(5)))
      const queue = yield* WorkQueue.make
      const toReport = new Set<string>()
      const decodeId = Schema.decodeUnknownOption(CustomerId)

      const see = (object: Stored) => {
        const id = object.kind === "Agent" ? object.metadata.name : object.metadata.labels?.[customerLabel]
        if (id !== undefined) queue.add(id)
      }

      const work = (tools: Tools) =>
        Effect.fnUntraced(function* (key: string) {
          const customerId = decodeId(key)
          if (Option.isNone(customerId)) return undefined
          const report = toReport.delete(key)
          yield* Metric.update(reconciles, 1)
          return yield* reconcile(tools, customerId.value, report).pipe(
            Effect.onError(() => {
              if (report) toReport.add(key)
              return Metric.update(failures, 1)
            }),
          )
        })

      const resync = Effect.gen(function* () {
        const agents = yield* cluster.list("Agent")
        const ids = new Set([...agents.items.map((agent) => agent.metadata.name), ...(yield* recorded(cluster))])
        for (const id of ids) {
          toReport.add(id)
          queue.add(id)
        }
      }).pipe(Effect.catch((error) => Effect.logWarning("resync failed; it is tried again at the next", error)))

      const resyncForever = Effect.gen(function* () {
        yield* resync
        yield* Effect.sleep(Duration.times(interval, 0.8 + 0.4 * (yield* Random.next)))
      }).pipe(Effect.forever)

      const run = Effect.suspend(() => {
        // A new leader can't know what the one before it got out.
        const tools: Tools = { cluster, events, settings, delivered: new Map() }
        return Effect.all(
          [
            queue.run(concurrency, work(tools)),
            resyncForever,
            ...watched.map((kind) =>
              inform(cluster, kind, kind === "Agent" ? {} : { labels: { [customerLabel]: "" } }, see),
            ),
          ],
          { concurrency: "unbounded", discard: true },
        ).pipe(Effect.andThen(Effect.never))
      })

      return Reconciler.of({
        look: (customerId, options) =>
          Effect.sync(() => {
            if (options?.report === true) toReport.add(customerId)
            queue.add(customerId)
          }),
        run,
        backlog: Effect.sync(() => queue.size()),
      })
    }),
  )
}
