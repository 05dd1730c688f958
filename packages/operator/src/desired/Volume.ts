/** The agent's memory: one claim, whose volume outlives claim and namespace (Retain) until a confirmed deletion. Pure. */
import type { CustomerId } from "@berth/domain/Ids"
import { type SoldTierId, tiers } from "@berth/domain/Tiers"
import { quantity } from "../Cluster/Quantity.ts"
import type { Manifest } from "../Manifest.ts"
import type { OperatorSettings } from "../Settings.ts"
import { claimName, metadataOf, volumeAnnotation } from "./Names.ts"

/** What stands of the claim or of a volume that an earlier claim left. */
export interface StandingVolume {
  /** The claim's size, when there is one: it can't shrink, and grows only where the storage class can do that. */
  readonly size?: string
  /** The volume to bind to by name, when the claim is being made again. */
  readonly volumeName?: string
}

export const claim = (
  customerId: CustomerId,
  tier: SoldTierId,
  settings: OperatorSettings,
  standing: StandingVolume,
): Manifest => {
  const { volumeName } = standing
  const metadata = metadataOf(customerId, claimName)
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: volumeName === undefined ? metadata : { ...metadata, annotations: { [volumeAnnotation]: volumeName } },
    spec: {
      accessModes: ["ReadWriteOnce"],
      volumeMode: "Filesystem",
      storageClassName: settings.storageClass,
      resources: { requests: { storage: claimSize(tier, settings, standing) } },
      ...(volumeName === undefined ? {} : { volumeName }),
    },
  }
}

/** How large the claim is to be: the tier's size, unless what stands is larger or can't grow. */
export const claimSize = (
  tier: SoldTierId,
  { volumeExpansion }: OperatorSettings,
  { size: standing }: StandingVolume,
): string => {
  const wanted = tiers[tier].resources.storage
  return standing === undefined || (volumeExpansion && quantity(wanted) > quantity(standing)) ? wanted : standing
}
