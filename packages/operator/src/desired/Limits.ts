/**
 * What a customer's namespace may take of the cluster: twice the agent's own needs, and no way to open a port to the outside.
 * Twice, because a replacement pod stands beside the one that is draining, and because a write that fails after it was
 * admitted stays counted until the cluster counts anew, up to 5 minutes later: the next try must fit beside it. Pure.
 */
import type { CustomerId } from "@berth/domain/Ids"
import { type SoldTierId, tiers } from "@berth/domain/Tiers"
import type { Manifest } from "../Manifest.ts"
import { app, metadataOf } from "./Names.ts"

export const ephemeral = { request: "256Mi", limit: "1Gi" } as const

/** "1280Mi" → "2560Mi". Quantities of tiers are whole numbers with a unit; any other stays as it is. */
const twice = (quantity: string): string => {
  const [, digits, unit] = /^(\d+)(\D*)$/.exec(quantity) ?? []
  return digits === undefined ? quantity : `${Number(digits) * 2}${unit}`
}

/** `storage` is the claim's own size: a volume that outlived its namespace may be larger than the tier's. */
export const resourceQuota = (customerId: CustomerId, tier: SoldTierId, storage: string): Manifest => {
  const { cpuRequest, cpuLimit, memoryRequest, memoryLimit } = tiers[tier].resources
  return {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: metadataOf(customerId, app),
    spec: {
      hard: {
        pods: "3",
        "requests.cpu": twice(cpuRequest),
        "requests.memory": twice(memoryRequest),
        "limits.cpu": twice(cpuLimit),
        "limits.memory": twice(memoryLimit),
        "requests.ephemeral-storage": twice(ephemeral.request),
        "limits.ephemeral-storage": twice(ephemeral.limit),
        "requests.storage": twice(storage),
        persistentvolumeclaims: "2",
        services: "2",
        "services.nodeports": "0",
        "services.loadbalancers": "0",
      },
    },
  }
}

/** For a container that says nothing of its own; the agent's says everything. */
export const limitRange = (customerId: CustomerId, tier: SoldTierId): Manifest => {
  const { cpuRequest, cpuLimit, memoryRequest, memoryLimit } = tiers[tier].resources
  return {
    apiVersion: "v1",
    kind: "LimitRange",
    metadata: metadataOf(customerId, app),
    spec: {
      limits: [
        {
          type: "Container",
          default: { cpu: cpuLimit, memory: memoryLimit, "ephemeral-storage": ephemeral.limit },
          defaultRequest: { cpu: cpuRequest, memory: memoryRequest, "ephemeral-storage": ephemeral.request },
          max: { cpu: cpuLimit, memory: memoryLimit, "ephemeral-storage": ephemeral.limit },
        },
      ],
    },
  }
}
