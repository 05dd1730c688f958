/** What the memory cluster refuses, as a real one does: pods that break PodSecurity or a LimitRange, and what a ResourceQuota has no room for. Pure. */
import * as Predicate from "effect/Predicate"
import { beyondMaximum } from "./LimitRanges.ts"
import { at, type Manifest, type Stored } from "../Manifest.ts"
import { quantity } from "./Quantity.ts"

export interface Denial {
  readonly reason: "Quota" | "PodSecurity" | "Forbidden"
  readonly message: string
}

/** What a pod must say of each container where a quota counts it. */
const counted = ["requests.cpu", "requests.memory", "limits.cpu", "limits.memory"] as const

/** What a quota counts and a container does not say. */
const unsaid = (pod: Manifest, quota: Stored): string | undefined =>
  counted.find((resource) => {
    const [side = "", name = ""] = resource.split(".")
    return (
      at(quota, "spec", "hard", resource) !== undefined &&
      containersOf(pod).some((container) => at(container, "resources", side, name) === undefined)
    )
  })

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const containersOf = (pod: Manifest): ReadonlyArray<unknown> => [
  ...list(at(pod, "spec", "initContainers")),
  ...list(at(pod, "spec", "containers")),
]

/** The first rule of PodSecurity "restricted" that the pod breaks. */
const restricted = (pod: Manifest): string | undefined => {
  const spec = at(pod, "spec")
  if (at(spec, "hostNetwork") === true || at(spec, "hostPID") === true) return "host namespaces"
  if (list(at(spec, "volumes")).some((volume) => Predicate.hasProperty(volume, "hostPath"))) return "hostPath volumes"
  for (const container of containersOf(pod)) {
    const own = at(container, "securityContext")
    const name = at(container, "name")
    if (at(own, "allowPrivilegeEscalation") !== false) return `allowPrivilegeEscalation != false (container "${name}")`
    if (!list(at(own, "capabilities", "drop")).includes("ALL")) return `unrestricted capabilities (container "${name}")`
    if ((at(own, "runAsNonRoot") ?? at(spec, "securityContext", "runAsNonRoot")) !== true)
      return `runAsNonRoot != true (container "${name}")`
    if (
      (at(own, "seccompProfile", "type") ?? at(spec, "securityContext", "seccompProfile", "type")) !== "RuntimeDefault"
    )
      return `seccompProfile (container "${name}")`
  }
  return undefined
}

/** What one object takes of each resource that a quota may limit. Init containers run before the others, so the larger counts. */
const usage = (object: Manifest): Readonly<Record<string, number>> => {
  if (object.kind === "Pod") {
    // A pod that has ended takes nothing any more.
    if (["Succeeded", "Failed"].includes(String(at(object, "status", "phase")))) return {}
    const sum = (side: string, resource: string) => {
      const of = (containers: unknown) =>
        list(containers).map((one) => quantity(at(one, "resources", side, resource) ?? "0"))
      const running = of(at(object, "spec", "containers")).reduce((total, one) => total + one, 0)
      return Math.max(running, ...of(at(object, "spec", "initContainers")))
    }
    return {
      pods: 1,
      "requests.cpu": sum("requests", "cpu"),
      "requests.memory": sum("requests", "memory"),
      "limits.cpu": sum("limits", "cpu"),
      "limits.memory": sum("limits", "memory"),
    }
  }
  if (object.kind === "PersistentVolumeClaim")
    return {
      persistentvolumeclaims: 1,
      "requests.storage": quantity(at(object, "spec", "resources", "requests", "storage") ?? "0"),
    }
  if (object.kind === "Service") return { services: 1 }
  return {}
}

/** What all of these take of each resource that the quota limits. */
export const usedOf = (quota: Stored, siblings: ReadonlyArray<Stored>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.keys((at(quota, "spec", "hard") ?? {}) as object).map((resource) => [
      resource,
      String(siblings.reduce((total, one) => total + (usage(one)[resource] ?? 0), 0)),
    ]),
  )

/** Why a new object may not come into its namespace, given everything that stands there. */
export const denialOf = (
  object: Manifest,
  namespace: Stored | undefined,
  siblings: ReadonlyArray<Stored>,
): Denial | undefined => {
  if (
    object.kind === "Pod" &&
    at(namespace, "metadata", "labels", "pod-security.kubernetes.io/enforce") === "restricted"
  ) {
    const broken = restricted(object)
    if (broken !== undefined)
      return { reason: "PodSecurity", message: `violates PodSecurity "restricted:latest": ${broken}` }
  }
  const beyond = object.kind === "Pod" ? beyondMaximum(object, siblings) : undefined
  if (beyond !== undefined) return { reason: "Forbidden", message: beyond }
  const asked = usage(object)
  for (const quota of siblings.filter((one) => one.kind === "ResourceQuota")) {
    const lacking = object.kind === "Pod" ? unsaid(object, quota) : undefined
    if (lacking !== undefined)
      return { reason: "Forbidden", message: `failed quota: ${quota.metadata.name}: must specify ${lacking}` }
    for (const [resource, amount] of Object.entries(asked)) {
      const hard = at(quota, "spec", "hard", resource)
      if (hard === undefined) continue
      const used = siblings.reduce((total, one) => total + (usage(one)[resource] ?? 0), 0)
      if (used + amount > quantity(hard))
        return {
          reason: "Quota",
          message: `exceeded quota: ${quota.metadata.name}, requested: ${resource}=${amount}, used: ${used}, limited: ${String(hard)}`,
        }
    }
  }
  return undefined
}
