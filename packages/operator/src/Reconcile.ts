/**
 * Brings one agent from what it is to what it should be: gather → decide → apply, in the order deletion → finalizer →
 * suspend → plan, with one status write at the end. Invariants: only a deprovision job deletes data; an unchanged agent
 * causes no write; every interruption is resumed by simply doing this again, and two at once do no harm.
 */
import type { CustomerId } from "@berth/domain/Ids"
import { type Phase, steps } from "@berth/domain/Lifecycle"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { agentManifest, AgentSpec, AgentStatus, finalizer, specJson, statusJson } from "./Agent.ts"
import { carry, put } from "./Carry.ts"
import { readDeletion } from "./Deletions.ts"
import { deprovision, hasBegun, keepVolumes, letGo, tellDeleted } from "./Deprovision.ts"
import { abandon } from "./ExportRun.ts"
import { deploymentOf, gather, podsOf, type Wanted } from "./Gather.ts"
import type { Lane } from "./Lanes.ts"
import { at, canonical } from "./Manifest.ts"
import * as Metrics from "./Metrics.ts"
import { type Change, plan } from "./Plan.ts"
import { type AgentRecord, bury, readRecord, tombstone } from "./Records.ts"
import { conclude, noSight, tellAll } from "./Report.ts"
import { recordMissing } from "./Sight.ts"
import { initial, type Sight } from "./Status.ts"
import { type InHand, type Look, soonMillis, type Tools } from "./Tools.ts"

/** Phases in which data may be being deleted although nobody wants that any more; a new Agent's status says nothing. */
const mayBeGoing: ReadonlySet<Phase> = new Set(["pending", "deprovisioning", "deleted"])

/** How soon to look again at an agent that starts, although nothing was seen to change. */
const whileStarting = Duration.seconds(15)
/** And at one of which the cluster refuses a part, or whose record is lost: no watch tells when that is over. */
const whileRefused = Duration.seconds(30)

export const reconcile = Effect.fn("Reconcile.reconcile")(function* (tools: Tools, customerId: CustomerId, look: Look) {
  const { cluster, observed } = tools
  const [found, record] = yield* standing(tools, customerId, look)
  if (Option.isNone(found)) return yield* restore(tools, customerId, record, look)
  const stored = found.value
  observed.note(stored)
  const deleting = stored.metadata.deletionTimestamp !== undefined

  // The record of the newest job is the truth; whatever someone wrote into the spec by hand is put back.
  if (Option.isSome(record) && !deleting && canonical(specJson(record.value.spec)) !== canonical(stored.spec)) {
    yield* put(tools, agentManifest(customerId, record.value.spec, { at: stored.metadata.resourceVersion }), false)
    return Duration.zero
  }
  const spec = yield* Option.match(record, {
    onNone: () => Schema.decodeUnknownEffect(AgentSpec)(stored.spec),
    onSome: ({ spec }) => Effect.succeed(spec),
  })
  const before = Option.getOrElse(Schema.decodeUnknownOption(AgentStatus)(stored.status), () => initial)

  const confirmed =
    spec.deletion !== undefined && (Option.isSome(record) || (yield* tombstone(cluster, customerId)) >= spec.generation)
  const agent: InHand = { customerId, stored, place: { version: stored.metadata.resourceVersion }, spec, before }
  const deletion = confirmed || mayBeGoing.has(before.phase) ? yield* readDeletion(cluster, customerId) : Option.none()
  if (confirmed || hasBegun(deletion)) {
    tools.starts.done(customerId)
    const putInPlace = Option.match(record, {
      onNone: () => Effect.succeed({ ...noSight(tools, agent), trouble: recordMissing }),
      onSome: ({ secrets }) => provide(tools, agent, secrets, look),
    })
    return yield* deprovision(tools, agent, look, deletion, putInPlace)
  }
  if (before.phase === "deprovisioning") yield* abandon(tools, customerId)
  if (deleting) return yield* writeAgain(tools, agent)
  if (!(stored.metadata.finalizers ?? []).includes(finalizer)) {
    const finalized = yield* cluster.apply(agentManifest(customerId, spec, { at: agent.place.version }))
    agent.place.version = finalized.metadata.resourceVersion
  }

  const sight = yield* Option.match(record, {
    onNone: () => Effect.succeed({ ...noSight(tools, agent), trouble: recordMissing }),
    onSome: ({ secrets }) => provide(tools, agent, secrets, look),
  })
  const status = yield* conclude(tools, agent, sight)
  if (look.report) yield* tellAll(tools, agent, status)
  yield* settle(tools, agent, status, sight.queued)
  if (sight.trouble !== undefined) return whileRefused
  if (status.phase !== "provisioning" && status.phase !== "updating") return undefined
  const left = agent.place.written ?? stored
  if (Option.isSome(record) && left.metadata.resourceVersion === agent.place.version)
    tools.hands.set(customerId, { stored: left, record: record.value })
  return whileStarting
})

/** The Agent and its record: read, unless the last pass over an agent on its way left both and nothing newer is known. */
const standing = Effect.fnUntraced(function* ({ cluster, hands, observed }: Tools, customerId: CustomerId, look: Look) {
  const ref = { kind: "Agent", name: customerId }
  const hand = hands.get(customerId)
  hands.delete(customerId)
  const isNewest = hand?.stored.metadata.resourceVersion === observed.get(customerId, ref)?.metadata.resourceVersion
  return hand !== undefined && isNewest && !look.resync
    ? ([Option.some(hand.stored), Option.some(hand.record)] as const)
    : yield* Effect.all([cluster.get(ref), readRecord(cluster, customerId)], { concurrency: "unbounded" })
})

/** A change that makes a pod start: a new one, one that was scaled to nothing, or one in place of another. */
const startsPod = ({ object }: Change): boolean =>
  object.kind === "Deployment" && Number(at(object, "spec", "replicas")) > 0

const laneOf = ({ steps }: AgentStatus): Lane => (steps.some(({ step }) => step === "Ready") ? "change" : "provision")

/** Puts every object in place. While a namespace is on its way out, only looks; a pod starts when there is a place for it. */
const provide = Effect.fnUntraced(function* (tools: Tools, agent: InHand, secrets: Wanted["secrets"], look: Look) {
  const { cluster, observed, starts } = tools
  const { customerId, spec, before } = agent
  const placed = before.steps.map(({ step }) => step)
  yield* keepVolumes(tools, customerId)
  const gathered = yield* gather(tools, { customerId, spec, secrets, placed, resync: look.resync })
  const all = gathered.terminating ? [] : plan(gathered.desired, gathered.current, placed)
  if (gathered.released !== undefined && !gathered.terminating)
    yield* cluster.merge(
      { kind: "PersistentVolume", name: gathered.released.metadata.name },
      { spec: { claimRef: { uid: null, resourceVersion: null } } },
    )
  const now = yield* Clock.currentTimeMillis
  const queued = all.some(startsPod) && !starts.ask(customerId, laneOf(before), now)
  const carried = yield* carry(
    tools,
    customerId,
    queued ? all.filter(({ object }) => object.kind !== "Deployment") : all,
  )
  if (carried.trouble !== undefined) starts.done(customerId)
  for (const name of carried.repaired)
    yield* Metric.update(
      Metric.withAttributes(Metrics.driftRepaired, {
        kind: name.split(" ")[0] ?? "",
        found_by: look.resync ? "resync" : "watch",
      }),
      1,
    )
  const open = queued ? [...carried.open, "Deployment"] : carried.open
  const rebuilt = carried.repaired.find((name) => name.startsWith("Namespace "))
  return {
    ...noSight(tools, agent),
    placed: gathered.terminating ? [] : steps.filter((step) => step !== "Ready" && !open.includes(step)),
    repaired: rebuilt === undefined ? carried.repaired : [rebuilt],
    waiting: gathered.terminating,
    queued: queued && carried.trouble === undefined,
    trouble: carried.trouble,
    deployment: deploymentOf(observed, customerId),
    pods: podsOf(observed, customerId),
  } satisfies Sight
})

/** What follows from a status that is written: places that are free again, and how long a new agent took. */
const settle = Effect.fnUntraced(function* ({ starts }: Tools, agent: InHand, status: AgentStatus, queued: boolean) {
  // One that runs while a change of it waits for its turn stays in line.
  if (!queued && (status.phase === "active" || status.phase === "suspended")) starts.done(agent.customerId)
  const isReady = (one: AgentStatus) => one.steps.some(({ step }) => step === "Ready")
  if (!isReady(status) || isReady(agent.before)) return
  const taken = (yield* Clock.currentTimeMillis) - Date.parse(agent.stored.metadata.creationTimestamp)
  yield* Metric.update(Metrics.timeToReady, taken / 1000)
})

/** Someone deletes the Agent: say so, let go of it, and write an equal one. The agent itself goes on running. */
const writeAgain = Effect.fnUntraced(function* (tools: Tools, agent: InHand) {
  const { cluster } = tools
  const { customerId, spec } = agent
  yield* Effect.logError(`Agent ${customerId} was deleted by hand; it is written again and nothing of it is deleted`)
  const status = yield* conclude(tools, agent, { ...noSight(tools, agent), deletedByHand: true })
  if (!(yield* letGo(tools, agent))) return Duration.millis(soonMillis)
  yield* cluster.apply(agentManifest(customerId, spec))
  yield* cluster.patchStatus(customerId, statusJson(status))
  return Duration.zero
})

/** There is no Agent. If a job once asked for it and no deletion was confirmed, it is written from the record. */
const restore = Effect.fnUntraced(function* (
  tools: Tools,
  customerId: CustomerId,
  record: Option.Option<AgentRecord>,
  look: Look,
) {
  const { cluster, forbidden, secretsSeen, starts } = tools
  if (Option.isNone(record)) {
    starts.done(customerId)
    secretsSeen.delete(customerId)
    forbidden.delete(customerId)
    if (look.report) yield* tellDeleted(tools, customerId)
    return undefined
  }
  const { spec } = record.value
  if ((yield* tombstone(cluster, customerId)) >= spec.generation) {
    yield* bury(cluster, customerId, spec.generation)
    return undefined
  }
  yield* cluster.apply(agentManifest(customerId, spec))
  return Duration.zero
})
