/**
 * What a customer's namespace may take of the cluster: twice the agent's own needs, because a replacement pod stands
 * beside the one that is draining, and no way to open a port to the outside. Pure.
 */
import type { CustomerId } from "@berth/domain/Ids"
import { type SoldTierId, tiers } from "@berth/domain/Tiers"
import type { Manifest } from "../Manifest.ts"
import { app, metadataOf } from "./Names.ts"

export const ephemeral = { request: "256Mi", limit: "1Gi" } as const

/** "1280Mi" → "2560Mi". Quantities of tiers are whole numbers with a unit. */
const twice = (quantity: string): string => {
  const [, digits = "0", unit = ""] = /^(\d+)(\D*)$/.exec(quantity) ?? []
  return `${Number(digits) * 2}${unit}`
}

export const resourceQuota = (customerId: CustomerId, tier: SoldTierId): Manifest => {
  const { cpuRequest, cpuLimit, memoryRequest, memoryLimit, storage } = tiers[tier].resources
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
        "requests.storage": storage,
        persistentvolumeclaims: "1",
        services: "1",
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
