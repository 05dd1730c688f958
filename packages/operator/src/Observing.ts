/**
 * The informers of one operator process. They run whether it leads or stands by, so that whoever takes over knows the
 * cluster already. Secrets are not watched, since that would take the right to read those of every namespace.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Semaphore from "effect/Semaphore"
import { Cluster, type Selector } from "./Cluster.ts"
import { customerLabel } from "./desired/Names.ts"
import { inform } from "./Inform.ts"
import type { KindName } from "./Kinds.ts"
import * as Metrics from "./Metrics.ts"
import { make, type Observed } from "./Observed.ts"

/** Kinds of which every customer's objects are known. */
export const watched: ReadonlyArray<KindName> = [
  "Agent",
  "Namespace",
  "RoleBinding",
  "ServiceAccount",
  "ConfigMap",
  "ResourceQuota",
  "LimitRange",
  "NetworkPolicy",
  "PersistentVolumeClaim",
  "PersistentVolume",
  "Service",
  "Deployment",
  "Pod",
  "Job",
]

/** Agents are all ours, and volumes are labelled by their provisioner; everything else bears the customer's label. */
const selectorOf = (kind: KindName): Selector =>
  kind === "Agent" || kind === "PersistentVolume" ? {} : { labels: { [customerLabel]: "" } }

/** The server sends a bookmark about once a minute; one that is silent for so long is not followed any more. */
export const staleMillis = 150_000

export class Observing extends Context.Service<
  Observing,
  {
    readonly observed: Observed
    /** Waits until every kind was listed once. */
    readonly synced: Effect.Effect<void>
    /** Whether every kind was listed and has been heard of lately. */
    readonly fresh: Effect.Effect<boolean>
  }
>()("@berth/operator/Observing") {
  static readonly layer: Layer.Layer<Observing, never, Cluster> = Layer.effect(
    Observing,
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const clock = yield* Clock.Clock
      const observed = make()
      const heard = new Map<KindName, number>()
      const listed = new Set<KindName>()
      const all = yield* Latch.make()

      const signs = {
        sign: (kind: KindName) => void heard.set(kind, clock.currentTimeMillisUnsafe()),
        listed: Effect.fnUntraced(function* (kind: KindName) {
          listed.add(kind)
          yield* Metric.update(Metric.withAttributes(Metrics.lists, { kind }), 1)
          if (listed.size === watched.length) yield* all.open
        }),
      }
      // A list is held whole for a moment: of thousands of agents not every kind at the same time.
      const oneAtATime = yield* Semaphore.make(1)
      const gently: Cluster["Service"] = {
        ...cluster,
        list: (kind, selector) => oneAtATime.withPermits(1)(cluster.list(kind, selector)),
      }
      yield* Effect.forEach(
        watched,
        (kind) => Effect.forkScoped(inform(gently, kind, selectorOf(kind), observed, signs)),
        { discard: true },
      )
      return Observing.of({
        observed,
        synced: all.await,
        fresh: Effect.map(
          Clock.currentTimeMillis,
          (now) =>
            listed.size === watched.length && watched.every((kind) => now - (heard.get(kind) ?? 0) < staleMillis),
        ),
      })
    }),
  )
}
