/**
 * Deletes an agent with everything of it, its data too, in two phases: the agent is stopped and its data exported; then, and
 * only then, all of it is deleted, until a look over the whole cluster finds nothing. Invariant: nothing is deleted before the
 * export store holds the data and `exported` is told, unless ops gave the export up or there never was any data. Every step
 * can be done again, so a crash anywhere is resumed.
 */
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import type { Phase } from "@berth/domain/Lifecycle"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { agentManifest } from "./Agent.ts"
import type { Cluster } from "./Cluster.ts"
import { type Deletion, readDeletion, writeDeletion } from "./Deletions.ts"
import { hasEnded } from "./export/Progress.ts"
import { bringOn } from "./ExportRun.ts"
import { podsOf, volumesOf } from "./Gather.ts"
import { at, type JsonObject, type Ref, refOf, type Stored } from "./Manifest.ts"
import { watched } from "./Observing.ts"
import { app, selectorOf } from "./desired/Names.ts"
import { bury, recordsNamespace, tombstone } from "./Records.ts"
import { conclude, noSight, send, tellAll } from "./Report.ts"
import type { Sight } from "./Status.ts"
import { type InHand, type Look, soonMillis, type Tools } from "./Tools.ts"

const soon = Duration.millis(soonMillis)
/** The informers tell when namespace and volumes are gone; this is for what they might not. */
const whileGoing = Duration.seconds(15)

/**
 * One pass; asks to be called again until nothing is left, and ends with the Agent gone. `putInPlace` sees to it that all of
 * the agent but its pod stands: an export needs its namespace and its claim, whoever removed them.
 */
export const deprovision = Effect.fn("Deprovision.pass")(function* <E, R>(
  tools: Tools,
  agent: InHand,
  look: Look,
  found: Option.Option<Deletion>,
  putInPlace: Effect.Effect<Sight, E, R>,
) {
  const { cluster } = tools
  const { customerId, spec } = agent
  const deletion = current(agent, found)
  // What is told of a deletion that nobody wants any more is told of the job that wanted it.
  const told: InHand =
    spec.deletion === undefined ? { ...agent, spec: { ...spec, generation: deletion.generation } } : agent
  const exported = deletion.exported === undefined ? {} : { exported: deletion.exported }
  const say = (hand: InHand, more: Partial<Sight>) =>
    conclude(tools, hand, { ...noSight(tools, hand), ...exported, ...more })

  const advance = (next: Deletion) => writeDeletion(cluster, customerId, next)
  const erasing = Effect.gen(function* () {
    yield* advance({ ...deletion, state: "erasing" })
    return Duration.zero
  })

  switch (deletion.state) {
    case "exporting": {
      const isFree = spec.deletion?.exportWaived === true || !(yield* hasData(tools, customerId))
      if (isFree) {
        if (spec.deletion?.exportWaived === true)
          yield* Effect.logWarning(`ops gave up the export of ${customerId}; its data is deleted without one`)
        // Only of an agent that is told as leaving is it looked up whether its data is being deleted.
        yield* say(told, { deprovision: "going" })
        return yield* erasing
      }
      const { stand, hitch } = yield* exportOnce(tools, agent, deletion.generation, putInPlace)
      if (stand._tag === "Exported") {
        yield* advance({ ...deletion, state: "exported", exported: stand.exported })
        return Duration.zero
      }
      const status = yield* say(told, { deprovision: "exporting", ...(hitch ? { hitch: "ExportFailed" } : {}) })
      if (look.report) yield* tellAll(tools, told, status)
      return stand.again
    }
    case "exported":
      // Nothing is deleted before this has arrived: a stream that is away fails the pass.
      yield* say(told, { deprovision: "exporting" })
      return yield* erasing
    case "erasing": {
      const { left, hitch } = yield* erase(tools, customerId)
      // An agent that never stood leaves nothing; that it is being deleted is told all the same, for nothing else may come before.
      if (left || !leaving.has(agent.before.phase)) {
        const status = yield* say(told, { deprovision: "going", ...(hitch ? { hitch: "EraseFailed" } : {}) })
        if (look.report) yield* tellAll(tools, told, status)
        return left ? whileGoing : soon
      }
      yield* say(told, { deprovision: "gone" })
      yield* advance({ ...deletion, state: "erased" })
      return Duration.zero
    }
    case "erased":
      // Wanted again meanwhile, but too late: a new agent is built in its place.
      if (spec.deletion === undefined) return Duration.zero
      yield* say(told, { deprovision: "gone" })
      return yield* finish(tools, agent)
  }
})

const leaving: ReadonlySet<Phase> = new Set(["deprovisioning", "deleted"])

/** The deletion that is under way: one that has begun to delete goes on; else the one that is asked for. */
const current = ({ spec }: InHand, found: Option.Option<Deletion>): Deletion => {
  const generation = spec.deletion?.confirmedGeneration
  const isCurrent = (one: Deletion) => one.state === "erasing" || one.generation === generation
  return Option.getOrElse(Option.filter(found, isCurrent), () => ({
    generation: generation ?? 0,
    state: "exporting",
  }))
}

/** Whether data is being deleted by now, so that there is no way back. */
export const hasBegun = (found: Option.Option<Deletion>): boolean =>
  Option.exists(found, ({ state }) => state === "erasing")

/** Without a volume there is nothing to export. */
const hasData = (tools: Tools, customerId: CustomerId) =>
  Effect.map(volumesOf(tools, customerId), (volumes) => volumes.length > 0)

/** Whether the agent has stopped, by the API server itself: nobody else may have the volume's databases open. */
const hasStopped = Effect.fnUntraced(function* (cluster: Cluster["Service"], customerId: CustomerId) {
  const namespace = namespaceOf(customerId)
  const deployment = yield* cluster.get({ kind: "Deployment", namespace, name: app })
  const isSeen = Option.exists(
    deployment,
    (one) =>
      at(one, "status", "observedGeneration") === one.metadata.generation &&
      Number(at(one, "status", "replicas") ?? 0) === 0,
  )
  const { items } = yield* cluster.list("Pod", { namespace, labels: selectorOf(customerId) })
  return isSeen && items.every(hasEnded)
})

/** How long a pod may take beyond its time to end (ms); then its node is gone, and somebody has to say so to the cluster. */
const strandedAfter = 600_000

const isStranded = ({ observed }: Tools, customerId: CustomerId, now: number): boolean =>
  podsOf(observed, customerId).some(
    ({ metadata: { deletionTimestamp } }) =>
      deletionTimestamp !== undefined && now - Date.parse(deletionTimestamp) > strandedAfter,
  )

/** One step towards the export. What the cluster refuses is told to ops and tried again. */
const exportOnce = Effect.fnUntraced(function* <E, R>(
  tools: Tools,
  { customerId }: InHand,
  generation: number,
  putInPlace: Effect.Effect<Sight, E, R>,
) {
  const wait = (again: Duration.Duration) => ({
    stand: { _tag: "Going", failed: undefined, again } as const,
    hitch: false,
  })
  const sight = yield* putInPlace
  if (sight.trouble !== undefined) return { ...wait(soon), hitch: true }
  if (isStranded(tools, customerId, yield* Clock.currentTimeMillis)) {
    yield* Effect.logError(`the pod of ${customerId} does not end, so its data can't be exported; its node may be gone`)
    return { ...wait(Duration.seconds(30)), hitch: true }
  }
  if (sight.waiting || !(yield* hasStopped(tools.cluster, customerId))) return wait(soon)
  const stand = yield* bringOn(tools, customerId, generation).pipe(
    Effect.catchTag(["Refused", "ExportStoreUnavailable"], (error) =>
      Effect.logError(`the export of ${customerId} does not get on`, error).pipe(
        Effect.as({ _tag: "Going", failed: error._tag, again: Duration.seconds(30) } as const),
      ),
    ),
  )
  return { stand, hitch: stand._tag === "Going" && stand.failed !== undefined }
})

/** Whatever the storage class says: until a deletion is confirmed, a volume outlives its claim and its namespace. */
export const keepVolumes = Effect.fn("Deprovision.keepVolumes")(function* (
  { cluster, observed }: Tools,
  customerId: CustomerId,
) {
  for (const volume of observed.list(customerId, "PersistentVolume"))
    if (at(volume, "spec", "persistentVolumeReclaimPolicy") !== "Retain")
      yield* cluster.merge(refOf(volume), { spec: { persistentVolumeReclaimPolicy: "Retain" } }).pipe(
        Effect.map((stored) => observed.note(stored)),
        Effect.catchTag("NotFound", () => Effect.sync(() => observed.missing(customerId, refOf(volume)))),
      )
})

/** A volume whose provisioner could not delete it says so; it goes on trying. */
const isStuck = (volume: unknown): boolean => at(volume, "status", "phase") === "Failed"

/** Deletes volumes with their data and the namespace with all that is in it; whether anything is still left. */
const erase = Effect.fn("Deprovision.erase")(function* (tools: Tools, customerId: CustomerId) {
  const { cluster, ends, observed } = tools
  const volumes = yield* volumesOf(tools, customerId)
  const change = (volume: Stored, patch: JsonObject) =>
    cluster.merge(refOf(volume), patch).pipe(
      Effect.map((stored) => observed.note(stored)),
      Effect.catchTag("NotFound", () => Effect.sync(() => observed.missing(customerId, refOf(volume)))),
    )
  // Before their claims go: a volume that outlives its claim keeps its data.
  for (const volume of volumes)
    if (at(volume, "spec", "persistentVolumeReclaimPolicy") !== "Delete")
      yield* change(volume, { spec: { persistentVolumeReclaimPolicy: "Delete" } })
  const ref: Ref = { kind: "Namespace", name: namespaceOf(customerId) }
  const namespace = yield* cluster.get(ref)
  const stands = Option.isSome(namespace) && namespace.value.metadata.deletionTimestamp === undefined
  if (stands && ends.ask(customerId, "destroy", yield* Clock.currentTimeMillis))
    yield* cluster.remove(ref, { uid: namespace.value.metadata.uid })
  if (Option.isNone(namespace)) {
    ends.done(customerId)
    // Freed for a claim that never came: the cluster would keep it for that one, unless it was another's that is gone.
    for (const volume of volumes)
      if (at(volume, "spec", "claimRef", "uid") === undefined)
        yield* change(volume, { spec: { claimRef: { uid: volume.metadata.uid } } })
  }
  const hitch = volumes.some(isStuck)
  if (hitch) yield* Effect.logError(`a volume of ${customerId} could not be deleted; its provisioner tries again`)
  return { hitch, left: Option.isSome(namespace) || volumes.length > 0 || sweep(tools, customerId) }
})

/** Whether the informers still know anything of the customer's but the Agent and what the operator keeps for itself. */
const sweep = ({ observed }: Tools, customerId: CustomerId): boolean =>
  watched.some(
    (kind) =>
      kind !== "Agent" &&
      observed.list(customerId, kind).some(({ metadata }) => metadata.namespace !== recordsNamespace),
  )

/** Nothing is left, and that is told: the Agent goes. */
const finish = Effect.fnUntraced(function* (tools: Tools, agent: InHand) {
  const { cluster } = tools
  const { customerId, spec } = agent
  yield* bury(cluster, customerId, spec.generation)
  yield* cluster.remove({ kind: "Agent", name: customerId }).pipe(Effect.catchTag("NotFound", () => Effect.void))
  yield* letGo(tools, agent)
  return undefined
})

/** Drops the operator's finalizer; whether the Agent is gone by that. */
export const letGo = Effect.fnUntraced(function* ({ cluster }: Tools, { customerId, spec }: InHand) {
  const ref = { kind: "Agent", name: customerId }
  const found = yield* cluster.get(ref)
  if (Option.isNone(found)) return true
  yield* cluster.apply(agentManifest(customerId, spec, { finalized: false, at: found.value.metadata.resourceVersion }))
  return Option.isNone(yield* cluster.get(ref))
})

/** Tells again that an agent is deleted, to who missed it. Nothing if it never was. */
export const tellDeleted = Effect.fn("Deprovision.tellDeleted")(function* (tools: Tools, customerId: CustomerId) {
  const generation = yield* tombstone(tools.cluster, customerId)
  if (generation === 0) return
  const deletion = yield* readDeletion(tools.cluster, customerId)
  const exported = Option.getOrUndefined(deletion)?.exported
  const now = yield* Clock.currentTimeMillis
  yield* send(tools, {
    _tag: "deleted",
    customerId,
    generation,
    seq: Math.max((tools.delivered.get(customerId) ?? 0) + 1, now),
    at: now,
    ...(exported === undefined ? {} : { exported }),
  })
})
