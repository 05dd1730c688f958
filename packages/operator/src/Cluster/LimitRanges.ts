/** What a LimitRange makes of a new pod: containers that say nothing get its defaults, and those beyond its maximum don't come in. Pure. */
import { at, type JsonObject, type Manifest, type Stored } from "../Manifest.ts"
import { quantity } from "./Quantity.ts"

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const containerLimits = (siblings: ReadonlyArray<Stored>): ReadonlyArray<unknown> =>
  siblings
    .filter((one) => one.kind === "LimitRange")
    .flatMap((one) => list(at(one, "spec", "limits")).filter((limit) => at(limit, "type") === "Container"))

/** Who says a limit and no request requests as much as the limit; only then come the defaults. */
const withDefaults = (container: unknown, limits: ReadonlyArray<unknown>): unknown => {
  const own = (side: "requests" | "limits") => (at(container, "resources", side) ?? {}) as JsonObject
  const defaults = (field: "defaultRequest" | "default") =>
    Object.assign({}, ...limits.map((limit) => at(limit, field) ?? {})) as JsonObject
  const resources = {
    requests: { ...defaults("defaultRequest"), ...own("limits"), ...own("requests") },
    limits: { ...defaults("default"), ...own("limits") },
  }
  return { ...(container as object), resources }
}

/** The pod as it is taken in. */
export const limited = (pod: Manifest, siblings: ReadonlyArray<Stored>): Manifest => {
  const limits = containerLimits(siblings)
  if (limits.length === 0) return pod
  const spec = pod.spec as JsonObject
  const each = (field: "initContainers" | "containers") =>
    spec[field] === undefined ? {} : { [field]: list(spec[field]).map((one) => withDefaults(one, limits)) }
  return { ...pod, spec: { ...spec, ...each("initContainers"), ...each("containers") } }
}

/** The first maximum that a container is beyond. */
export const beyondMaximum = (pod: Manifest, siblings: ReadonlyArray<Stored>): string | undefined => {
  const containers = [...list(at(pod, "spec", "initContainers")), ...list(at(pod, "spec", "containers"))]
  for (const limit of containerLimits(siblings))
    for (const [resource, most] of Object.entries((at(limit, "max") ?? {}) as JsonObject))
      for (const container of containers) {
        const asked = at(container, "resources", "limits", resource)
        if (asked === undefined)
          return `maximum ${resource} usage per Container is ${String(most)}. No limit is specified`
        if (quantity(asked) > quantity(most))
          return `maximum ${resource} usage per Container is ${String(most)}, but limit is ${String(asked)}`
      }
  return undefined
}
