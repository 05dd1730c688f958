/** Reads what stands of one agent: its objects, its pods, and the volumes that it has or had. */
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AgentSpec } from "./Agent.ts"
import type { Cluster } from "./Cluster.ts"
import { claimName, selectorOf, volumeAnnotation } from "./desired/Names.ts"
import { desired, type DesiredObject } from "./desired/Objects.ts"
import type { AgentSecrets } from "./desired/Secret.ts"
import type { StandingVolume } from "./desired/Volume.ts"
import { at, nameOf, refOf, type Stored } from "./Manifest.ts"
import type { Current } from "./Plan.ts"
import type { OperatorSettings } from "./Settings.ts"

/** Every volume that is or was bound to the customer's claim. */
export const volumesOf = Effect.fn("Gather.volumes")(function* (cluster: Cluster["Service"], customerId: CustomerId) {
  const { items } = yield* cluster.list("PersistentVolume")
  return items.filter((volume) => at(volume, "spec", "claimRef", "namespace") === namespaceOf(customerId))
})

/** A volume that lost its claim, by a namespace that was deleted by hand, is bound again and keeps the agent's memory. */
const standingVolume = Effect.fnUntraced(function* (cluster: Cluster["Service"], customerId: CustomerId) {
  const claim = yield* cluster.get({
    kind: "PersistentVolumeClaim",
    namespace: namespaceOf(customerId),
    name: claimName,
  })
  if (Option.isSome(claim)) {
    const volumeName = claim.value.metadata.annotations?.[volumeAnnotation]
    return {
      standing: {
        size: String(at(claim.value, "spec", "resources", "requests", "storage")),
        ...(volumeName === undefined ? {} : { volumeName }),
      } satisfies StandingVolume,
      released: undefined,
    }
  }
  // Without a claim, any volume of the customer's is one that lost it, whatever its phase says yet.
  const released = (yield* volumesOf(cluster, customerId))
    .sort((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp))
    .at(-1)
  return {
    standing: (released === undefined
      ? {}
      : {
          volumeName: released.metadata.name,
          size: String(at(released, "spec", "capacity", "storage")),
        }) satisfies StandingVolume,
    released,
  }
})

export const podsOf = Effect.fn("Gather.pods")(function* (cluster: Cluster["Service"], customerId: CustomerId) {
  const { items } = yield* cluster.list("Pod", { namespace: namespaceOf(customerId), labels: selectorOf(customerId) })
  return items
})

export interface Gathered {
  readonly desired: ReadonlyArray<DesiredObject>
  readonly current: Current
  /** A volume to be freed for its new claim. */
  readonly released: Stored | undefined
  readonly terminating: boolean
}

export const gather = Effect.fn("Gather.gather")(function* (
  cluster: Cluster["Service"],
  agent: { readonly customerId: CustomerId; readonly spec: AgentSpec },
  secrets: AgentSecrets,
  settings: OperatorSettings,
) {
  const { standing, released } = yield* standingVolume(cluster, agent.customerId)
  const objects = desired(agent, secrets, settings, standing)
  const found = yield* Effect.forEach(objects, ({ object }) => cluster.get(refOf(object)), { concurrency: 4 })
  const current = new Map(
    found.flatMap((one) => (Option.isNone(one) ? [] : [[nameOf(refOf(one.value)), one.value] as const])),
  )
  const namespace = current.get(nameOf({ kind: "Namespace", name: namespaceOf(agent.customerId) }))
  return {
    desired: objects,
    current,
    released,
    terminating: namespace?.metadata.deletionTimestamp !== undefined,
  } satisfies Gathered
})
