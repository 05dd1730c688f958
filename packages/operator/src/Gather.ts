/**
 * Finds out what stands of one agent: by the informers where they know enough, by reading where they don't. An object whose
 * content was compared before and has not changed since is not read again.
 */
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import type { Step } from "@berth/domain/Lifecycle"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AgentSpec } from "./Agent.ts"
import { app, claimName, volumeAnnotation } from "./desired/Names.ts"
import { desired, type DesiredObject } from "./desired/Objects.ts"
import type { AgentSecrets } from "./desired/Secret.ts"
import type { StandingVolume } from "./desired/Volume.ts"
import { glimpse, type Glimpse } from "./Glimpse.ts"
import { at, type Manifest, nameOf, type Ref, refOf } from "./Manifest.ts"
import type { Observed } from "./Observed.ts"
import { type Current, markOf, type Standing, standingOf } from "./Plan.ts"
import type { Tools } from "./Tools.ts"

/**
 * Every volume that is or was bound to the customer's claim. That there is none is said by the API server itself, which has
 * to look at all volumes for it: nothing that follows from there being none can be undone.
 */
export const volumesOf = Effect.fn("Gather.volumes")(function* (
  { cluster, observed }: Pick<Tools, "cluster" | "observed">,
  customerId: CustomerId,
) {
  const known = observed.list(customerId, "PersistentVolume")
  if (known.length > 0) return known
  const { items } = yield* cluster.list("PersistentVolume")
  return items
    .filter((volume) => at(volume, "spec", "claimRef", "namespace") === namespaceOf(customerId))
    .flatMap((volume) => glimpse(volume) ?? [])
})

const inside = (customerId: CustomerId, kind: string, name: string): Ref => ({
  kind,
  namespace: namespaceOf(customerId),
  name,
})

export const deploymentOf = (observed: Observed, customerId: CustomerId): Glimpse | undefined =>
  observed.get(customerId, inside(customerId, "Deployment", app))

/** The agent's own pods, not those of other work in its namespace. */
export const podsOf = (observed: Observed, customerId: CustomerId): ReadonlyArray<Glimpse> =>
  observed.list(customerId, "Pod").filter((pod) => pod.metadata.labels?.["app.kubernetes.io/name"] === app)

/**
 * A volume that lost its claim, by a namespace that was deleted by hand, is bound again and keeps the agent's memory. Of an
 * agent that had one, no new one is made before the API server itself has said that there is none.
 */
const standingVolume = Effect.fnUntraced(function* (tools: Tools, customerId: CustomerId, had: boolean) {
  const { observed } = tools
  const claim = observed.get(customerId, inside(customerId, "PersistentVolumeClaim", claimName))
  if (claim !== undefined) {
    const volumeName = claim.metadata.annotations?.[volumeAnnotation]
    return {
      standing: {
        size: String(at(claim, "spec", "resources", "requests", "storage")),
        ...(volumeName === undefined ? {} : { volumeName }),
      } satisfies StandingVolume,
      released: undefined,
    }
  }
  const volumes = had ? yield* volumesOf(tools, customerId) : observed.list(customerId, "PersistentVolume")
  // Without a claim, any volume of the customer's is one that lost it, whatever its phase says yet.
  const released = [...volumes]
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

/** Reads an object and compares it with what is meant; none if it is not there. */
const read = Effect.fnUntraced(function* ({ cluster, observed }: Tools, customerId: CustomerId, meant: Manifest) {
  const found = yield* cluster.get(refOf(meant))
  if (Option.isNone(found)) {
    observed.missing(customerId, refOf(meant))
    return undefined
  }
  const standing = standingOf(meant, found.value)
  if (meant.kind !== "Secret") observed.note(found.value, standing.whole ? standing.mark : undefined)
  return standing
})

const unread: Standing = { mark: undefined, whole: false }

/** Secrets are not watched: they are read at each resync, and when this process has not seen this one right before. */
const standingSecret = Effect.fnUntraced(function* (
  tools: Tools,
  customerId: CustomerId,
  meant: Manifest,
  resync: boolean,
) {
  const { observed, secretsSeen } = tools
  const namespace = observed.get(customerId, { kind: "Namespace", name: namespaceOf(customerId) })
  if (namespace === undefined) return undefined
  // Without the binding there is no right to read, nor a reason to: it is written again with it.
  if (observed.list(customerId, "RoleBinding").length === 0) return unread
  const seen = `${namespace.metadata.uid} ${markOf(meant)}`
  if (!resync && secretsSeen.get(customerId) === seen) return { mark: markOf(meant), whole: true } satisfies Standing
  const standing = yield* read(tools, customerId, meant)
  if (standing?.whole === true) secretsSeen.set(customerId, seen)
  else secretsSeen.delete(customerId)
  return standing
})

const standingObject = Effect.fnUntraced(function* (tools: Tools, customerId: CustomerId, meant: Manifest) {
  const known = tools.observed.get(customerId, refOf(meant))
  const mark = markOf(meant)
  if (known === undefined) return undefined
  if (known.mark !== mark) return { mark: known.mark, whole: false } satisfies Standing
  if (mark !== undefined && tools.observed.holds(customerId, refOf(meant), mark))
    return { mark, whole: true } satisfies Standing
  return yield* read(tools, customerId, meant)
})

export interface Gathered {
  readonly desired: ReadonlyArray<DesiredObject>
  readonly current: Current
  /** A volume to be freed for its new claim. */
  readonly released: Glimpse | undefined
  readonly terminating: boolean
}

export interface Wanted {
  readonly customerId: CustomerId
  readonly spec: AgentSpec
  readonly secrets: AgentSecrets
  /** Steps that were completed before. */
  readonly placed: ReadonlyArray<Step>
  readonly resync: boolean
}

export const gather = Effect.fn("Gather.gather")(function* (tools: Tools, wanted: Wanted) {
  const { observed, settings } = tools
  const { customerId } = wanted
  const { standing, released } = yield* standingVolume(tools, customerId, wanted.placed.includes("Volume"))
  const objects = desired(wanted, wanted.secrets, settings, standing)
  const found = yield* Effect.forEach(
    objects,
    ({ object }) =>
      object.kind === "Secret"
        ? standingSecret(tools, customerId, object, wanted.resync)
        : standingObject(tools, customerId, object),
    { concurrency: 4 },
  )
  const current = new Map<string, Standing>()
  for (const [index, one] of found.entries()) {
    const object = objects[index]?.object
    if (one !== undefined && object !== undefined) current.set(nameOf(refOf(object)), one)
  }
  const namespace = observed.get(customerId, { kind: "Namespace", name: namespaceOf(customerId) })
  return {
    desired: objects,
    current,
    released,
    terminating: namespace?.metadata.deletionTimestamp !== undefined,
  } satisfies Gathered
})
