/** How a customer's objects are named and labelled. Pure. */
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import { hashOf, type Manifest, type ObjectMeta } from "../Manifest.ts"

/** The one name of everything inside a customer's namespace, which holds one agent. */
export const app = "openclaw"
export const claimName = "openclaw-data"
export const customerLabel = "berth.dev/customer"
/** Hash of the object as it was last meant: tells a change of mind from a change by someone else. */
export const desiredAnnotation = "berth.dev/desired"
/** The volume to which a claim was bound again after its namespace had been deleted by hand. */
export const volumeAnnotation = "berth.dev/volume"

export const configKey = "openclaw.json"
export const port = 18_789

/** The pod's environment variable for each secret, also its key in the Secret. */
export const secretKeys = {
  proxyToken: "PROXY_TOKEN",
  botToken: "TELEGRAM_BOT_TOKEN",
  gatewayToken: "OPENCLAW_GATEWAY_TOKEN",
} as const

export const labelsOf = (customerId: CustomerId): Readonly<Record<string, string>> => ({
  "app.kubernetes.io/name": app,
  "app.kubernetes.io/managed-by": "berth-operator",
  [customerLabel]: customerId,
})

export const selectorOf = (customerId: CustomerId): Readonly<Record<string, string>> => ({
  "app.kubernetes.io/name": app,
  [customerLabel]: customerId,
})

/** Metadata of an object in the customer's namespace. */
export const metadataOf = (customerId: CustomerId, name: string): ObjectMeta => ({
  name,
  namespace: namespaceOf(customerId),
  labels: labelsOf(customerId),
})

/** The object with the hash of itself as an annotation. */
export const marked = (object: Manifest): Manifest => ({
  ...object,
  metadata: {
    ...object.metadata,
    annotations: { ...object.metadata.annotations, [desiredAnnotation]: hashOf(object) },
  },
})
