/**
 * The memory cluster's own controllers, level-based as Kubernetes' are: deployments get and lose pods (Recreate),
 * claims get volumes (Retain: a volume outlives its claim), terminating namespaces lose their contents. One pass looks
 * at everything and changes what is due; passes run until nothing is.
 */
import * as Result from "effect/Result"
import { at, hashOf, type JsonObject, type Manifest, refOf, type Stored } from "../Manifest.ts"
import { usedOf } from "./Admission.ts"
import { definedBy } from "./CustomResources.ts"
import { hasEnded, release, runJob, trackingFinalizer } from "./Jobs.ts"
import type { MemoryStore } from "./MemoryStore.ts"
import { claimProtection } from "./NewObjects.ts"
import { controllerManager, isLeaving, isReady, ofKind, owns } from "./Owned.ts"

const podOf = (deployment: Stored, hash: string, serial: number): Manifest => {
  const template = deployment.spec as JsonObject
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${deployment.metadata.name}-${hash.slice(0, 9)}-${String(serial).padStart(5, "0")}`,
      namespace: deployment.metadata.namespace ?? "",
      labels: {
        ...(at(template, "template", "metadata", "labels") as Record<string, string>),
        "pod-template-hash": hash,
      },
      annotations: (at(template, "template", "metadata", "annotations") ?? {}) as Record<string, string>,
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "Deployment",
          name: deployment.metadata.name,
          uid: deployment.metadata.uid,
          controller: true,
        },
      ],
    },
    spec: at(template, "template", "spec"),
    status: { phase: "Pending" },
  }
}

const runDeployment = (store: MemoryStore, deployment: Stored, serial: () => number): void => {
  const hash = hashOf(at(deployment, "spec", "template"))
  const replicas = Number(at(deployment, "spec", "replicas") ?? 1)
  const pods = ofKind(store, "Pod").filter((pod) => owns(deployment, pod))
  const current = pods.filter((pod) => pod.metadata.labels?.["pod-template-hash"] === hash)
  const old = pods.filter((pod) => !current.includes(pod))
  const serving = current.filter((pod) => !isLeaving(pod))
  for (const pod of [...old, ...serving.slice(replicas)]) if (!isLeaving(pod)) store.remove(refOf(pod), undefined)
  let failure: string | undefined
  if (old.length === 0)
    for (let missing = replicas - serving.length; missing > 0; missing--) {
      const created = store.apply(podOf(deployment, hash, serial()), { manager: controllerManager, force: true })
      if (Result.isFailure(created)) failure = created.failure.message
    }
  const standing = ofKind(store, "Pod").filter((pod) => owns(deployment, pod) && !isLeaving(pod))
  const ready = standing.filter((pod) => isReady(pod) && pod.metadata.labels?.["pod-template-hash"] === hash).length
  const status = {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: standing.length,
    updatedReplicas: standing.length - old.filter((pod) => !isLeaving(pod)).length,
    readyReplicas: ready,
    availableReplicas: ready,
    conditions: [
      { type: "Available", status: ready >= replicas ? "True" : "False" },
      ...(failure === undefined
        ? []
        : [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: failure }]),
    ],
  }
  store.update(refOf(deployment), controllerManager, (object) => ({ ...object, status }))
}

const bindClaim = (store: MemoryStore, claim: Stored): void => {
  const wanted = at(claim, "spec", "volumeName")
  const name = wanted === undefined ? `pvc-${claim.metadata.uid}` : String(wanted)
  const reference = { namespace: claim.metadata.namespace ?? "", name: claim.metadata.name, uid: claim.metadata.uid }
  const volume = store.find({ kind: "PersistentVolume", name })
  if (volume === undefined) {
    if (wanted !== undefined) return
    store.apply(
      {
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name },
        spec: {
          persistentVolumeReclaimPolicy: "Retain",
          storageClassName: at(claim, "spec", "storageClassName") ?? "default",
          capacity: { storage: at(claim, "spec", "resources", "requests", "storage") },
          claimRef: reference,
        },
        status: { phase: "Bound" },
      },
      { manager: controllerManager, force: true },
    )
  } else {
    const holder = at(volume, "spec", "claimRef", "uid")
    // A released volume is bound to nobody until someone clears the uid of the claim that is gone.
    if (holder !== undefined && holder !== claim.metadata.uid) return
    store.update(refOf(volume), controllerManager, (object) => ({
      ...object,
      spec: { ...(object.spec as object), claimRef: reference },
      status: { phase: "Bound" },
    }))
  }
  store.update(refOf(claim), controllerManager, (object) => ({
    ...object,
    spec: { ...(object.spec as object), volumeName: name },
    status: { phase: "Bound" },
  }))
}

const runVolume = (store: MemoryStore, volume: Stored): void => {
  const reference = at(volume, "spec", "claimRef")
  if (at(volume, "status", "phase") === "Available" || reference === undefined) return
  const claim = store.find({
    kind: "PersistentVolumeClaim",
    namespace: String(at(reference, "namespace")),
    name: String(at(reference, "name")),
  })
  if (claim !== undefined && claim.metadata.uid === at(reference, "uid")) return
  if (at(reference, "uid") === undefined) return
  if (at(volume, "spec", "persistentVolumeReclaimPolicy") === "Delete") store.purge(refOf(volume))
  else store.update(refOf(volume), controllerManager, (object) => ({ ...object, status: { phase: "Released" } }))
}

const runNamespace = (store: MemoryStore, namespace: Stored): void => {
  const contents = store.all().filter((object) => object.metadata.namespace === namespace.metadata.name)
  if (contents.length === 0) return store.purge(refOf(namespace))
  for (const object of contents) if (!isLeaving(object)) store.remove(refOf(object), undefined)
}

/** Counts what a quota's namespace takes. */
const runQuota = (store: MemoryStore, quota: Stored): void => {
  const siblings = store.all().filter((one) => one.metadata.namespace === quota.metadata.namespace)
  const status = { hard: at(quota, "spec", "hard") ?? {}, used: usedOf(quota, siblings) }
  store.update(refOf(quota), controllerManager, (object) => ({ ...object, status }))
}

/** A definition that goes takes every object of its kind along. */
const runDefinition = (store: MemoryStore, definition: Stored): void => {
  const contents = ofKind(store, definedBy(definition) ?? "")
  if (contents.length === 0) return store.purge(refOf(definition))
  for (const object of contents) if (!isLeaving(object)) store.remove(refOf(object), undefined)
}

/** A claim that a pod uses stays until the pod has ended. */
const freeClaim = (store: MemoryStore, claim: Stored): void => {
  const uses = (pod: Stored) =>
    pod.metadata.namespace === claim.metadata.namespace &&
    !hasEnded(pod) &&
    ((at(pod, "spec", "volumes") ?? []) as ReadonlyArray<unknown>).some(
      (volume) => at(volume, "persistentVolumeClaim", "claimName") === claim.metadata.name,
    )
  if (ofKind(store, "Pod").some(uses)) return
  store.update(refOf(claim), controllerManager, (object) => ({
    ...object,
    metadata: {
      ...object.metadata,
      finalizers: (object.metadata.finalizers ?? []).filter((one) => one !== claimProtection),
    },
  }))
}

/** A pod whose Job is gone waits for nobody's count. */
const freeOrphan = (store: MemoryStore, pod: Stored): void => {
  if (!(pod.metadata.finalizers ?? []).includes(trackingFinalizer)) return
  if (!ofKind(store, "Job").some((job) => owns(job, pod))) release(store, pod)
}

/** One pass over everything at `now` (epoch ms). `serial` numbers pods. When to pass again though nothing changes, if so. */
export const pass = (store: MemoryStore, serial: () => number, now: number): number | undefined => {
  let next: number | undefined
  for (const { kind, ...rest } of store.all()) {
    const object = store.find(refOf({ kind, ...rest }))
    if (object === undefined) continue
    if (kind === "Namespace" && isLeaving(object)) runNamespace(store, object)
    if (kind === "CustomResourceDefinition" && isLeaving(object)) runDefinition(store, object)
    if (kind === "PersistentVolumeClaim" && isLeaving(object)) freeClaim(store, object)
    if (kind === "PersistentVolume") runVolume(store, object)
    if (kind === "PersistentVolumeClaim" && !isLeaving(object) && at(object, "status", "phase") !== "Bound")
      bindClaim(store, object)
    if (kind === "Deployment" && !isLeaving(object)) runDeployment(store, object, serial)
    if (kind === "Pod") freeOrphan(store, object)
    if (kind === "ResourceQuota" && !isLeaving(object)) runQuota(store, object)
    if (kind === "Job" && !isLeaving(object)) {
      const due = runJob(store, object, now, () => String(serial()).padStart(5, "0"))
      if (due !== undefined) next = Math.min(due, next ?? due)
    }
  }
  return next
}
