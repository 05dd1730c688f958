/** What is left of a customer, in all that the API server keeps and on the disk. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import type { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import { volumesFolder } from "../cluster/ControlPlaneComponents.ts"
import type { Handle } from "../cluster/Handle.ts"

interface Item {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

/**
 * Every object of every kind that the server lists which names the customer in any way, as `kind namespace/name`, but for the
 * two that the operator keeps for itself and the events that the server forgets within the hour.
 */
export const remainsOf = Effect.fn("remainsOf")(function* (cluster: Handle<never>, customerId: CustomerId) {
  const names = yield* cluster.kubectl(["api-resources", "--verbs=list", "--output=name", "--no-headers"])
  // Reviews and metrics are lists of nothing that is kept.
  const kinds = names.split("\n").filter((kind) => kind !== "" && !/^componentstatuses$|\.metrics\.k8s\.io$/.test(kind))
  const text = yield* cluster.kubectl(["get", kinds.join(","), "--all-namespaces", "--output=json"])
  const items: ReadonlyArray<Item> = JSON.parse(text).items
  return items
    .filter((item) => JSON.stringify(item).includes(customerId))
    .map(({ kind, metadata: { name, namespace = "" } }) => `${kind} ${namespace}/${name}`)
    .filter((one) => !/^(?:Event default\/|ConfigMap berth-agents\/(?:deletion|tombstone)-)/.test(one))
})

/** The folder of the customer's volume, where volumes are folders. */
export const volumeFolderOf = (folder: string, namespace: string): string | undefined => {
  const name = readdirSync(volumesFolder(folder)).find((one) => one.includes(namespace))
  return name === undefined ? undefined : join(volumesFolder(folder), name)
}
