/** The kinds of objects that the operator handles, and where the API server serves them. Pure data. */
import type { Ref } from "./Manifest.ts"

export interface Kind {
  readonly apiVersion: string
  readonly plural: string
  readonly namespaced: boolean
}

const namespaced = (apiVersion: string, plural: string): Kind => ({ apiVersion, plural, namespaced: true })
const clusterWide = (apiVersion: string, plural: string): Kind => ({ apiVersion, plural, namespaced: false })

export const kinds = {
  Agent: clusterWide("berth.dev/v1alpha1", "agents"),
  Namespace: clusterWide("v1", "namespaces"),
  Node: clusterWide("v1", "nodes"),
  PersistentVolume: clusterWide("v1", "persistentvolumes"),
  CustomResourceDefinition: clusterWide("apiextensions.k8s.io/v1", "customresourcedefinitions"),
  ServiceAccount: namespaced("v1", "serviceaccounts"),
  Secret: namespaced("v1", "secrets"),
  ConfigMap: namespaced("v1", "configmaps"),
  ResourceQuota: namespaced("v1", "resourcequotas"),
  LimitRange: namespaced("v1", "limitranges"),
  PersistentVolumeClaim: namespaced("v1", "persistentvolumeclaims"),
  Service: namespaced("v1", "services"),
  Pod: namespaced("v1", "pods"),
  Deployment: namespaced("apps/v1", "deployments"),
  Job: namespaced("batch/v1", "jobs"),
  NetworkPolicy: namespaced("networking.k8s.io/v1", "networkpolicies"),
  RoleBinding: namespaced("rbac.authorization.k8s.io/v1", "rolebindings"),
  Event: namespaced("v1", "events"),
  Lease: namespaced("coordination.k8s.io/v1", "leases"),
} as const satisfies Record<string, Kind>
export type KindName = keyof typeof kinds

/** The collection's path on the API server, of one namespace or of all. A kind that isn't in the table is a bug. */
export const collectionPath = (kind: string, namespace?: string): string => {
  const known: Kind | undefined = kinds[kind as KindName]
  if (known === undefined) throw new Error(`unknown kind ${kind}`)
  const root = known.apiVersion.includes("/") ? `/apis/${known.apiVersion}` : `/api/${known.apiVersion}`
  return `${root}${known.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : ""}/${known.plural}`
}

export const objectPath = (ref: Ref): string => `${collectionPath(ref.kind, ref.namespace)}/${ref.name}`
