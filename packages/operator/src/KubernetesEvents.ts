/**
 * Tells people who look at the cluster with its own tools: Kubernetes Events on the Agent, and on an object that was put
 * back. They are a courtesy: written by the way, bounded, and given up silently when the API server has other worries.
 */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Cluster } from "./Cluster.ts"
import { kinds } from "./Kinds.ts"
import { hashOf, type Manifest } from "./Manifest.ts"
import type { InHand, Tools } from "./Tools.ts"

/** More than so many that wait are told newest first, and the oldest not at all. */
const most = 1_000

interface Told {
  readonly type: "Normal" | "Warning"
  readonly reason: string
  readonly message: string
}

/** What is told of an event, if anything. Steps are in the Agent's status, and a resync is no news. */
export const tell = (event: AgentEvent): Told | undefined => {
  switch (event._tag) {
    case "active":
      return { type: "Normal", reason: "Active", message: `Runs as generation ${event.generation} asks.` }
    case "suspended":
      return { type: "Normal", reason: "Suspended", message: "Stopped; its data is kept." }
    case "deprovisioning":
      return { type: "Normal", reason: "Deprovisioning", message: "Stops; its data is exported, then deleted." }
    case "exported":
      return { type: "Normal", reason: "Exported", message: `Its data stands in the store as ${event.exported.key}.` }
    case "deleted":
      return { type: "Normal", reason: "Deleted", message: "Deleted with all of its data." }
    case "failed":
    case "troubled":
      return { type: "Warning", reason: event.reason, message: event.message }
    case "recovered":
      return { type: "Normal", reason: "Recovered", message: event.message }
    case "driftRepaired":
      return { type: "Warning", reason: "DriftRepaired", message: `${event.what} had been changed and was put back.` }
    case "deletionBlocked":
      return {
        type: "Warning",
        reason: "DeletionBlocked",
        message: "Deleted by hand without a deprovision job: nothing of the customer's is deleted.",
      }
    default:
      return undefined
  }
}

/** Events about objects without a namespace of their own stand in this one. */
const clusterEvents = "default"

interface Regarded {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
}

/** `Service customer-ada/openclaw` → what an Event refers to. Objects without a namespace have the Agent's Event alone. */
const repaired = (what: string): Regarded | undefined => {
  const [, kind = "", namespace, name] = /^(\w+) ([^/]+)\/(.+)$/.exec(what) ?? []
  const known = Object.entries(kinds).find(([one]) => one === kind)?.[1]
  return known === undefined || namespace === undefined || name === undefined
    ? undefined
    : { apiVersion: known.apiVersion, kind, namespace, name }
}

/** The Event; the same thing said again is the same Event, counted up. */
export const manifest = (regarded: Regarded, told: Told, iso: string, first: string, count: number): Manifest => {
  const namespace = regarded.namespace ?? clusterEvents
  return {
    apiVersion: kinds.Event.apiVersion,
    kind: "Event",
    metadata: { name: `${regarded.name}.${hashOf({ regarded, ...told })}`, namespace },
    involvedObject: { ...regarded },
    ...told,
    firstTimestamp: first,
    lastTimestamp: iso,
    count,
    source: { component: "berth-operator" },
    reportingComponent: "berth-operator",
    reportingInstance: "berth-operator",
  }
}

/** Runs with the scope. What it returns may be called from anywhere, and does nothing but remember. */
export const make = Effect.fn("KubernetesEvents.make")(function* (cluster: Cluster["Service"]) {
  const queue = yield* Queue.sliding<{ readonly agent: InHand; readonly event: AgentEvent }>(most)
  const counts = new Map<string, { readonly first: string; readonly count: number }>()

  const write = Effect.fnUntraced(function* (regarded: Regarded, told: Told) {
    const iso = DateTime.formatIso(DateTime.makeUnsafe(yield* Clock.currentTimeMillis)).replace(/\.\d+Z$/, "Z")
    const key = hashOf({ regarded, ...told })
    const { first, count } = counts.get(key) ?? { first: iso, count: 0 }
    if (counts.size >= most) counts.clear()
    counts.set(key, { first, count: count + 1 })
    yield* cluster.apply(manifest(regarded, told, iso, first, count + 1))
  })

  const next = Effect.gen(function* () {
    const { agent, event } = yield* Queue.take(queue)
    const told = tell(event)
    if (told === undefined) return
    const { name, uid } = agent.stored.metadata
    yield* write({ apiVersion: kinds.Agent.apiVersion, kind: "Agent", name, uid }, told)
    const object = event._tag === "driftRepaired" ? repaired(event.what) : undefined
    if (object !== undefined) yield* write(object, told)
  }).pipe(Effect.catch((error) => Effect.logDebug("a Kubernetes Event was not written", error)))
  yield* Effect.forkScoped(Effect.forever(next))

  return ((agent, event) => void Queue.offerUnsafe(queue, { agent, event })) satisfies Tools["witness"]
})
