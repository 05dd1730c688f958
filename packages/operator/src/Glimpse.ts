/**
 * What the operator remembers of an object that stands in the cluster: enough to tell whether it is as it was meant and how
 * it does, never the whole, so that thousands of agents fit into little memory. Pure. A glimpse has the object's own shape.
 */
import { customerOf } from "@berth/domain/Ids"
import { customerLabel, desiredAnnotation, volumeAnnotation } from "./desired/Names.ts"
import type { KindName } from "./Kinds.ts"
import { at, canonical, hashOf, type Json, type JsonObject, nameOf, refOf, type Stored } from "./Manifest.ts"

export interface Glimpse extends Stored {
  readonly kind: KindName
  readonly customer: string
  readonly name: string
  /** resourceVersions of one cluster count up over all kinds. */
  readonly version: number
  /** Hash of the object as it was last meant, which the operator leaves on it. */
  readonly mark: string | undefined
  /** Hash of all that anybody may have written into it; none for kinds that are not compared. */
  readonly hash: string | undefined
}

type Brief = { readonly spec?: JsonObject; readonly status?: JsonObject }

/** The named members, where they stand. */
const some = (value: unknown, ...names: ReadonlyArray<string>): JsonObject =>
  Object.fromEntries(
    names.flatMap((name) => {
      const member = at(value, name)
      return member === undefined ? [] : [[name, member as Json]]
    }),
  )

const each = (value: unknown, brief: (item: unknown) => JsonObject): ReadonlyArray<JsonObject> =>
  Array.isArray(value) ? value.map(brief) : []

const conditions = (object: unknown) =>
  each(at(object, "status", "conditions"), (one) => ({
    ...some(one, "type", "status", "reason", "lastTransitionTime"),
    // Says by what a pod is refused; other messages say nothing that anything is decided by.
    ...(at(one, "type") === "ReplicaFailure" ? some(one, "message") : {}),
  }))

/** How a container does or ended, without the messages. */
const state = (value: unknown): JsonObject => ({
  ...(at(value, "running") === undefined ? {} : { running: {} }),
  ...(at(value, "waiting") === undefined ? {} : { waiting: some(at(value, "waiting"), "reason") }),
  ...(at(value, "terminated") === undefined
    ? {}
    : { terminated: some(at(value, "terminated"), "reason", "exitCode", "startedAt", "finishedAt") }),
})

const container = (status: unknown): JsonObject => ({
  ...some(status, "name", "ready", "restartCount"),
  state: state(at(status, "state")),
  lastState: state(at(status, "lastState")),
})

const nothing = (): Brief => ({})

/** What is kept of each kind beside its identity. */
const briefs: { readonly [kind in KindName]?: (object: Stored) => Brief } = {
  Agent: (agent) => ({
    spec: some(agent.spec, "generation"),
    status: some(agent.status, "phase", "observedGeneration"),
  }),
  Namespace: (namespace) => ({ status: some(namespace.status, "phase") }),
  PersistentVolume: (volume) => ({
    spec: {
      ...some(volume.spec, "persistentVolumeReclaimPolicy"),
      capacity: some(at(volume, "spec", "capacity"), "storage"),
      claimRef: some(at(volume, "spec", "claimRef"), "namespace", "name", "uid"),
    },
    status: some(volume.status, "phase"),
  }),
  PersistentVolumeClaim: (claim) => ({
    spec: {
      ...some(claim.spec, "volumeName"),
      resources: { requests: some(at(claim, "spec", "resources", "requests"), "storage") },
    },
    status: { ...some(claim.status, "phase"), capacity: some(at(claim, "status", "capacity"), "storage") },
  }),
  Deployment: (deployment) => ({
    spec: some(deployment.spec, "replicas"),
    status: {
      ...some(deployment.status, "observedGeneration", "replicas", "updatedReplicas", "readyReplicas"),
      conditions: conditions(deployment),
    },
  }),
  Pod: (pod) => ({
    spec: some(pod.spec, "nodeName"),
    status: {
      ...some(pod.status, "phase", "reason", "message", "podIP", "hostIP", "startTime"),
      conditions: conditions(pod),
      initContainerStatuses: each(at(pod, "status", "initContainerStatuses"), container),
      containerStatuses: each(at(pod, "status", "containerStatuses"), container),
    },
  }),
  Job: (job) => ({
    status: { ...some(job.status, "active", "succeeded", "failed"), conditions: conditions(job) },
  }),
}

/** Kinds that others make or that are read whole anyway: nothing of them is compared by hash. */
const uncompared: ReadonlySet<string> = new Set(["Agent", "Pod", "PersistentVolume", "Job"])

/** Annotations by which Kubernetes' own controllers keep notes. None of ours begins so. */
const notes = /^(?:pv|volume|volume\.beta|deployment)\.kubernetes\.io\//

/** Everything but what the server and the controllers write by themselves: that would have to be compared for nothing. */
const written = ({ status: _, ...object }: Stored) => {
  const { annotations, labels, name, namespace, ownerReferences, uid } = object.metadata
  const metadata = {
    labels,
    name,
    namespace,
    ownerReferences,
    uid,
    annotations: Object.fromEntries(Object.entries(annotations ?? {}).filter(([key]) => !notes.test(key))),
  }
  // The volume of a claim is named by its binder, and never another afterwards.
  return object.kind === "PersistentVolumeClaim"
    ? { ...object, metadata, spec: { ...(object.spec as object), volumeName: undefined } }
    : { ...object, metadata }
}

const customerIn = (object: Stored): string | undefined => {
  if (object.kind === "Agent") return object.metadata.name
  // A volume is made by the cluster's provisioner and bears no label of ours.
  if (object.kind === "PersistentVolume") return customerOf(String(at(object, "spec", "claimRef", "namespace")))
  return object.metadata.labels?.[customerLabel]
}

/** Kept of the annotations: to which volume a claim is bound again. */
const annotations = (object: Stored) => some(object.metadata.annotations, volumeAnnotation) as Record<string, string>

/** None for an object that is no customer's. */
export const glimpse = (object: Stored): Glimpse | undefined => {
  const customer = customerIn(object)
  if (customer === undefined) return undefined
  const kind = object.kind as KindName
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, labels } =
    object.metadata
  return {
    apiVersion: object.apiVersion,
    kind,
    customer,
    name: nameOf(refOf(object)),
    version: Number(resourceVersion),
    mark: object.metadata.annotations?.[desiredAnnotation],
    hash: uncompared.has(kind) ? undefined : hashOf(written(object)),
    metadata: {
      name,
      uid,
      resourceVersion,
      creationTimestamp,
      annotations: annotations(object),
      ...(namespace === undefined ? {} : { namespace }),
      ...(generation === undefined ? {} : { generation }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(kind === "Pod" && labels !== undefined ? { labels } : {}),
    },
    ...(briefs[kind] ?? nothing)(object),
  }
}

/** Whether someone who looks at the agent could see a difference. A new version alone, or a status that is not kept, is none. */
export const isNews = (before: Glimpse | undefined, now: Glimpse): boolean => {
  if (before === undefined || now.kind === "Agent") return true
  const { version: _, metadata: old, ...was } = before
  const { version: __, metadata: fresh, ...is } = now
  return (
    old.uid !== fresh.uid ||
    old.generation !== fresh.generation ||
    (old.deletionTimestamp === undefined) !== (fresh.deletionTimestamp === undefined) ||
    canonical(was) !== canonical(is)
  )
}
