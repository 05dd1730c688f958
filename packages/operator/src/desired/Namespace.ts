/**
 * The customer's namespace and the operator's rights in it. The namespace has no ownerReference, so garbage collection
 * can never take a customer's data with it; the rights come from here, so the operator has none where no customer is. Pure.
 */
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import type { Manifest } from "../Manifest.ts"
import { labelsOf, metadataOf } from "./Names.ts"

const modes = ["enforce", "audit", "warn"] as const

export const namespace = (customerId: CustomerId): Manifest => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: {
    name: namespaceOf(customerId),
    labels: {
      ...labelsOf(customerId),
      ...Object.fromEntries(
        modes.flatMap((mode) => [
          [`pod-security.kubernetes.io/${mode}`, "restricted"],
          [`pod-security.kubernetes.io/${mode}-version`, "latest"],
        ]),
      ),
    },
  },
})

export const roleBinding = (customerId: CustomerId): Manifest => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata: metadataOf(customerId, "berth-operator"),
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "berth-operator-tenant" },
  subjects: [{ kind: "ServiceAccount", name: "operator", namespace: "platform" }],
})

/** The pod's account: it has no rights and no token. */
export const serviceAccount = (customerId: CustomerId): Manifest => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: metadataOf(customerId, "openclaw"),
  automountServiceAccountToken: false,
})
