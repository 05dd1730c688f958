/**
 * The memory cluster's own controllers, level-based as Kubernetes' are: deployments get and lose pods (Recreate),
 * claims get volumes (Retain: a volume outlives its claim), terminating namespaces lose their contents. One pass looks
 * at everything and changes what is due; passes run until nothing is.
 */
import * as Result from "effect/Result"
import { at, hashOf, type JsonObject, type Manifest, nameOf, refOf, type Stored } from "../Manifest.ts"
import type { MemoryStore } from "./MemoryStore.ts"

export const controllerManager = "kube-controller-manager"

const ofKind = (store: MemoryStore, kind: string) => store.all().filter((object) => object.kind === kind)

const owns = (owner: Stored, object: Stored): boolean =>
  (object.metadata.ownerReferences ?? []).some((reference) => reference.uid === owner.metadata.uid)

export const isReady = (pod: Stored): boolean => {
  const conditions = at(pod, "status", "conditions")
  return (
    Array.isArray(conditions) && conditions.some((one) => at(one, "type") === "Ready" && at(one, "status") === "True")
  )
}

const isLeaving = (object: Stored): boolean => object.metadata.deletionTimestamp !== undefined

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

/** One pass over everything. `serial` numbers pods. */
export const pass = (store: MemoryStore, serial: () => number): void => {
  for (const object of store.all()) {
    if (store.find(refOf(object)) === undefined) continue
    if (object.kind === "Namespace" && isLeaving(object)) runNamespace(store, object)
    if (object.kind === "PersistentVolume") runVolume(store, object)
    if (object.kind === "PersistentVolumeClaim" && at(object, "status", "phase") !== "Bound") bindClaim(store, object)
    if (object.kind === "Deployment" && !isLeaving(object)) runDeployment(store, object, serial)
  }
}

/** Identity of one pod's process in keys. */
export const processOf = (pod: Stored): string => `${nameOf(refOf(pod))} ${pod.metadata.uid}`
