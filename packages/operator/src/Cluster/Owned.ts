/** What the memory cluster's controllers ask of objects: whose they are, and how they stand. Pure. */
import { at, type Stored } from "../Manifest.ts"
import type { MemoryStore } from "./MemoryStore.ts"

export const controllerManager = "kube-controller-manager"

export const ofKind = (store: MemoryStore, kind: string) => store.all().filter((object) => object.kind === kind)

export const owns = (owner: Stored, object: Stored): boolean =>
  (object.metadata.ownerReferences ?? []).some((reference) => reference.uid === owner.metadata.uid)

export const isReady = (pod: Stored): boolean => {
  const conditions = at(pod, "status", "conditions")
  return (
    Array.isArray(conditions) && conditions.some((one) => at(one, "type") === "Ready" && at(one, "status") === "True")
  )
}

export const isLeaving = (object: Stored): boolean => object.metadata.deletionTimestamp !== undefined
