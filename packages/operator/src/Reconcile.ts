/**
 * Brings one agent from what it is to what it should be: gather → decide → apply, in the order deletion → finalizer →
 * suspend → plan, with one status write at the end. Invariants: only a deprovision job deletes data; an unchanged agent
 * causes no write; every interruption is resumed by simply doing this again.
 */
import type { AgentEvent, AgentEvents } from "@berth/domain/AgentEvents"
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import { steps } from "@berth/domain/Lifecycle"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { agentManifest, AgentSpec, AgentStatus, finalizer, specJson, statusJson } from "./Agent.ts"
import { carry } from "./Carry.ts"
import type { Cluster } from "./Cluster.ts"
import { erase } from "./Deprovision.ts"
import { app } from "./desired/Names.ts"
import { gather, podsOf } from "./Gather.ts"
import { canonical, nameOf, type Stored } from "./Manifest.ts"
import { plan } from "./Plan.ts"
import { type AgentRecord, bury, readRecord, tombstone } from "./Records.ts"
import type { OperatorSettings } from "./Settings.ts"
import { recordMissing } from "./Sight.ts"
import { decide, initial, type Sight } from "./Status.ts"

export interface Tools {
  readonly cluster: Cluster["Service"]
  readonly events: AgentEvents["Service"]
  readonly settings: OperatorSettings
  /** Seq of the last event that arrived for sure, by agent. Lost with the process: then the last batch is sent again. */
  readonly delivered: Map<CustomerId, number>
}

type Agent = {
  readonly customerId: CustomerId
  readonly stored: Stored
  readonly spec: AgentSpec
  readonly before: AgentStatus
}

/** How soon to look again although nothing was seen to change. */
const soon = Duration.seconds(2)
const whileStarting = Duration.seconds(15)

export const reconcile = Effect.fn("Reconcile.reconcile")(function* (
  tools: Tools,
  customerId: CustomerId,
  report: boolean,
) {
  const { cluster } = tools
  const found = yield* cluster.get({ kind: "Agent", name: customerId })
  const record = yield* readRecord(cluster, customerId)
  if (Option.isNone(found)) return yield* restore(tools, customerId, record)
  const stored = found.value
  const deleting = stored.metadata.deletionTimestamp !== undefined

  // The record of the newest job is the truth; whatever someone wrote into the spec by hand is put back.
  if (Option.isSome(record) && !deleting && canonical(specJson(record.value.spec)) !== canonical(stored.spec)) {
    yield* cluster.apply(agentManifest(customerId, record.value.spec, { at: stored.metadata.resourceVersion }))
    return Duration.zero
  }
  const spec = yield* Option.match(record, {
    onNone: () => Schema.decodeUnknownEffect(AgentSpec)(stored.spec),
    onSome: ({ spec }) => Effect.succeed(spec),
  })
  const before = Option.getOrElse(Schema.decodeUnknownOption(AgentStatus)(stored.status), () => initial)
  const agent: Agent = { customerId, stored, spec, before }

  const confirmed =
    spec.deletion !== undefined && (Option.isSome(record) || (yield* tombstone(cluster, customerId)) >= spec.generation)
  if (confirmed) return yield* deprovision(tools, agent, report)
  if (deleting) return yield* writeAgain(tools, agent)
  if (!(stored.metadata.finalizers ?? []).includes(finalizer)) yield* cluster.apply(agentManifest(customerId, spec))

  const sight = yield* Option.match(record, {
    onNone: () => Effect.succeed({ ...noSight(tools, agent), trouble: recordMissing }),
    onSome: ({ secrets }) => provide(tools, agent, secrets),
  })
  const status = yield* conclude(tools, agent, sight)
  if (report) yield* tellAll(tools, agent, status)
  return status.phase === "provisioning" || status.phase === "updating" ? whileStarting : undefined
})

/** What is known without looking at the agent's own objects. */
const noSight = (tools: Tools, { customerId, spec, before }: Agent): Sight => ({
  customerId,
  spec,
  before,
  placed: [],
  repaired: [],
  waiting: false,
  trouble: undefined,
  deployment: undefined,
  pods: [],
  deletedByHand: false,
  deprovision: "no",
  delivered: (tools.delivered.get(customerId) ?? -1) >= before.seq,
  usedSeq: tools.delivered.get(customerId) ?? 0,
})

/** Puts every object in place. While a namespace is on its way out, only looks. */
const provide = Effect.fnUntraced(function* (tools: Tools, agent: Agent, secrets: Parameters<typeof gather>[2]) {
  const { cluster, settings } = tools
  const { customerId, before } = agent
  const gathered = yield* gather(cluster, agent, secrets, settings)
  const changes = gathered.terminating
    ? []
    : plan(
        gathered.desired,
        gathered.current,
        before.steps.map(({ step }) => step),
      )
  if (gathered.released !== undefined && !gathered.terminating)
    yield* cluster.merge(
      { kind: "PersistentVolume", name: gathered.released.metadata.name },
      { spec: { claimRef: { uid: null, resourceVersion: null } } },
    )
  const carried = yield* carry(cluster, changes)
  const deployment = nameOf({ kind: "Deployment", namespace: namespaceOf(customerId), name: app })
  const rebuilt = carried.repaired.find((name) => name.startsWith("Namespace "))
  return {
    ...noSight(tools, agent),
    placed: gathered.terminating ? [] : steps.filter((step) => step !== "Ready" && !carried.open.includes(step)),
    repaired: rebuilt === undefined ? carried.repaired : [rebuilt],
    waiting: gathered.terminating,
    trouble: carried.trouble,
    deployment: carried.stored.get(deployment) ?? gathered.current.get(deployment),
    pods: yield* podsOf(cluster, customerId),
  } satisfies Sight
})

/** Writes the status if it says anything new, then reports what has not arrived yet. */
const conclude = Effect.fnUntraced(function* (tools: Tools, agent: Agent, sight: Sight) {
  const now = yield* Clock.currentTimeMillis
  const { status } = decide(sight, now, DateTime.formatIso(DateTime.makeUnsafe(now)))
  if (canonical(statusJson(status)) !== canonical(agent.stored.status))
    yield* tools.cluster.patchStatus(agent.customerId, statusJson(status))
  const arrived = tools.delivered.get(agent.customerId) ?? -1
  yield* Effect.forEach(
    status.reports.filter(({ seq }) => seq > arrived),
    (event) => send(tools, event),
    { discard: true },
  )
  return status
})

const send = Effect.fnUntraced(function* (tools: Tools, event: AgentEvent) {
  yield* tools.events.append(event)
  tools.delivered.set(event.customerId, event.seq)
})

/** Tells phase and generation although nothing is new. */
const tellAll = Effect.fnUntraced(function* (tools: Tools, { customerId, spec }: Agent, { phase, seq }: AgentStatus) {
  const now = yield* Clock.currentTimeMillis
  yield* send(tools, {
    _tag: "resync",
    customerId,
    generation: spec.generation,
    seq: Math.max(seq + 1, (tools.delivered.get(customerId) ?? 0) + 1, now),
    at: now,
    phase,
  })
})

const deprovision = Effect.fnUntraced(function* (tools: Tools, agent: Agent, report: boolean) {
  const { cluster } = tools
  const { customerId, spec } = agent
  if (agent.before.phase !== "deleted") {
    const before = yield* conclude(tools, agent, { ...noSight(tools, agent), deprovision: "going" })
    if (report) yield* tellAll(tools, agent, before)
    if ((yield* erase(cluster, customerId)) === "going") return soon
    const later = { ...agent, before }
    yield* conclude(tools, later, { ...noSight(tools, later), deprovision: "gone" })
  } else yield* conclude(tools, agent, { ...noSight(tools, agent), deprovision: "gone" })
  yield* bury(cluster, customerId, spec.generation)
  yield* cluster.remove({ kind: "Agent", name: customerId }).pipe(Effect.catchTag("NotFound", () => Effect.void))
  yield* letGo(tools, agent)
  return undefined
})

/** Drops the operator's finalizer; whether the Agent is gone by that. */
const letGo = Effect.fnUntraced(function* ({ cluster }: Tools, { customerId, spec }: Agent) {
  const ref = { kind: "Agent", name: customerId }
  const found = yield* cluster.get(ref)
  if (Option.isNone(found)) return true
  yield* cluster.apply(agentManifest(customerId, spec, { finalized: false, at: found.value.metadata.resourceVersion }))
  return Option.isNone(yield* cluster.get(ref))
})

/** Someone deletes the Agent: say so, let go of it, and write an equal one. The agent itself goes on running. */
const writeAgain = Effect.fnUntraced(function* (tools: Tools, agent: Agent) {
  const { cluster } = tools
  const { customerId, spec } = agent
  yield* Effect.logError(`Agent ${customerId} was deleted by hand; it is written again and nothing of it is deleted`)
  const status = yield* conclude(tools, agent, { ...noSight(tools, agent), deletedByHand: true })
  if (!(yield* letGo(tools, agent))) return soon
  yield* cluster.apply(agentManifest(customerId, spec))
  yield* cluster.patchStatus(customerId, statusJson(status))
  return Duration.zero
})

/** There is no Agent. If a job once asked for it and no deletion was confirmed, it is written from the record. */
const restore = Effect.fnUntraced(function* (
  { cluster }: Tools,
  customerId: CustomerId,
  record: Option.Option<AgentRecord>,
) {
  if (Option.isNone(record)) return undefined
  const { spec } = record.value
  if ((yield* tombstone(cluster, customerId)) >= spec.generation) {
    yield* bury(cluster, customerId, spec.generation)
    return undefined
  }
  yield* cluster.apply(agentManifest(customerId, spec))
  return Duration.zero
})
