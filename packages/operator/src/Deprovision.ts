/**
 * Deletes everything of an agent, its data too. Called only for a confirmed deprovision. An export of the data comes
 * before this step, by its caller. Volumes are told to go with their claims first, since they outlive them otherwise.
 */
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Cluster } from "./Cluster.ts"
import { volumesOf } from "./Gather.ts"
import { at, type Ref, refOf } from "./Manifest.ts"

/** `gone` once neither namespace nor volume is left; until then to be called again. */
export const erase = Effect.fn("Deprovision.erase")(function* (cluster: Cluster["Service"], customerId: CustomerId) {
  const volumes = yield* volumesOf(cluster, customerId)
  for (const volume of volumes)
    if (at(volume, "spec", "persistentVolumeReclaimPolicy") !== "Delete")
      yield* cluster.merge(refOf(volume), { spec: { persistentVolumeReclaimPolicy: "Delete" } })
  const ref: Ref = { kind: "Namespace", name: namespaceOf(customerId) }
  const namespace = yield* cluster.get(ref)
  if (Option.isSome(namespace) && namespace.value.metadata.deletionTimestamp === undefined)
    yield* cluster.remove(ref, { uid: namespace.value.metadata.uid })
  return Option.isNone(namespace) && volumes.length === 0 ? "gone" : "going"
})
