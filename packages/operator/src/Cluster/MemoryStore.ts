/**
 * The objects of the memory cluster and the rules by which an API server keeps them: resourceVersion and generation,
 * ownership by field manager, admission, finalizers, garbage collection by owner. Synchronous, so each change is atomic.
 * Invariant: a change that stores nothing new has no resourceVersion and no event.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import {
  type ApplyError,
  ClusterUnavailable,
  Conflict,
  NotFound,
  Refused,
  type Selector,
  type WatchEvent,
} from "../Cluster.ts"
import { type KindName, kinds } from "../Kinds.ts"
import { at, canonical, type Manifest, nameOf, type Ref, refOf, type Stored } from "../Manifest.ts"
import { denialOf } from "./Admission.ts"
import { invalidity, schemaOf, servingOf, unknownField } from "./CustomResources.ts"
import { immutableChange } from "./Immutable.ts"
import { limited } from "./LimitRanges.ts"
import { asCreated, withoutEmpties } from "./NewObjects.ts"
import { afterUpdate, merge as mergeApplied, type Ownership } from "./ServerSideApply.ts"

interface Entry {
  readonly object: Stored
  readonly ownership: Ownership
}

export interface Change {
  readonly resourceVersion: number
  readonly event: WatchEvent
  /** What stood before, if anything did. */
  readonly before: Stored | undefined
}

/** What a watch with this selector is told of a change: an object may come into its sight, or go out of it. */
export const tellOf = (selector: Selector, { before, event }: Change): WatchEvent | undefined => {
  const was = before !== undefined && selects(selector, before)
  const is = event.type !== "DELETED" && selects(selector, event.object)
  if (is) return { ...event, type: was ? "MODIFIED" : "ADDED" }
  if (!was) return undefined
  const { resourceVersion } = event.object.metadata
  return { type: "DELETED", object: { ...before, metadata: { ...before.metadata, resourceVersion } } }
}

/** How many changes a watch may lag behind before it must list again. */
const remembered = 5_000

export const selects = (selector: Selector, object: Stored): boolean =>
  (selector.namespace === undefined || object.metadata.namespace === selector.namespace) &&
  Object.entries(selector.labels ?? {}).every(([key, value]) => {
    const label = object.metadata.labels?.[key]
    return label !== undefined && (value === "" || label === value)
  })

export const make = (now: () => string) => {
  const entries = new Map<string, Entry>()
  const listeners = new Set<(change: Change) => void>()
  const history: Array<Change> = []
  let clock = 0
  let uids = 0

  const find = (ref: Ref): Stored | undefined => entries.get(nameOf(ref))?.object
  const all = (): ReadonlyArray<Stored> => [...entries.values()].map((entry) => entry.object)

  const announce = (type: WatchEvent["type"], object: Stored, before: Stored | undefined) => {
    const change = { resourceVersion: Number(object.metadata.resourceVersion), event: { type, object }, before }
    history.push(change)
    if (history.length > remembered) history.shift()
    for (const listener of listeners) listener(change)
  }

  /** Stores an object if it differs from what stands, and lets go of one whose deletion nothing holds up any more. */
  const put = (before: Stored | undefined, next: Record<string, unknown>, ownership: Ownership): Stored => {
    const ref = refOf(next as Manifest)
    if (before !== undefined && canonical(withoutEmpties(next)) === canonical(before)) {
      entries.set(nameOf(ref), { object: before, ownership })
      return before
    }
    const uid = before?.metadata.uid ?? `00000000-0000-4000-8000-${String(++uids).padStart(12, "0")}`
    const made = withoutEmpties(before === undefined ? asCreated(next, ref.name, uid) : next)
    const specChanged = before === undefined || canonical(before.spec) !== canonical(made.spec)
    const object = {
      ...made,
      metadata: {
        ...(made.metadata as Stored["metadata"]),
        uid,
        creationTimestamp: before?.metadata.creationTimestamp ?? now(),
        ...(made.spec === undefined ? {} : { generation: (before?.metadata.generation ?? 0) + (specChanged ? 1 : 0) }),
        resourceVersion: String(++clock),
      },
    } as unknown as Stored
    entries.set(nameOf(ref), { object, ownership })
    announce(before === undefined ? "ADDED" : "MODIFIED", object, before)
    if (object.metadata.deletionTimestamp !== undefined && !isHeld(object)) purge(ref)
    return object
  }

  /** Namespaces and definitions wait for their contents and pods for the kubelet; all else only for its finalizers. */
  const isHeld = (object: Stored): boolean =>
    ["Namespace", "Pod", "CustomResourceDefinition"].includes(object.kind) ||
    (object.metadata.finalizers ?? []).length > 0

  const purge = (ref: Ref): void => {
    const object = find(ref)
    if (object === undefined || !entries.delete(nameOf(ref))) return
    announce("DELETED", { ...object, metadata: { ...object.metadata, resourceVersion: String(++clock) } }, object)
    for (const dependent of all()) if (isOrphan(dependent, object.metadata.uid)) remove(refOf(dependent), undefined)
  }

  const isOrphan = (object: Stored, goneUid: string): boolean => {
    const owners = (object.metadata.ownerReferences ?? []).map((owner) => owner.uid)
    const living = new Set(all().map((one) => one.metadata.uid))
    return owners.includes(goneUid) && !owners.some((uid) => living.has(String(uid)))
  }

  const remove = (ref: Ref, uid: string | undefined): Result.Result<void, ApplyError> => {
    const object = find(ref)
    if (object === undefined) return Result.fail(new NotFound({ object: nameOf(ref) }))
    if (uid !== undefined && uid !== object.metadata.uid)
      return Result.fail(new Conflict({ object: nameOf(ref), message: "the uid differs" }))
    if (!isHeld(object)) purge(ref)
    else if (object.metadata.deletionTimestamp === undefined)
      put(
        object,
        {
          ...object,
          ...(object.kind === "Namespace" ? { status: { phase: "Terminating" } } : {}),
          metadata: { ...object.metadata, deletionTimestamp: now() },
        },
        entries.get(nameOf(ref))?.ownership ?? {},
      )
    return Result.succeed(undefined)
  }

  /** Why a new object may not be created, if so. */
  const barrier = (manifest: Manifest): ApplyError | undefined => {
    const name = nameOf(refOf(manifest))
    const kind = kinds[manifest.kind as KindName]
    const serving = servingOf(manifest.kind, find)
    if (kind === undefined || kind.apiVersion !== manifest.apiVersion || serving === "absent")
      return new NotFound({ object: name })
    if (serving === "terminating")
      return new Refused({
        object: name,
        reason: "Terminating",
        message: "create not allowed while custom resource definition is terminating",
      })
    if (!kind.namespaced) return undefined
    const namespace = find({ kind: "Namespace", name: manifest.metadata.namespace ?? "" })
    if (namespace === undefined) return new NotFound({ object: `Namespace ${manifest.metadata.namespace}` })
    if (namespace.metadata.deletionTimestamp !== undefined)
      return new Refused({
        object: name,
        reason: "Terminating",
        message: `unable to create new content in namespace ${namespace.metadata.name} because it is being terminated`,
      })
    const denial = denialOf(manifest, namespace, siblingsOf(manifest))
    return denial === undefined ? undefined : new Refused({ object: name, ...denial })
  }

  /** Whether something else stands than was named. Only a uid keeps an apply from making what is gone anew. */
  const stale = (meant: unknown, before: Stored | undefined): boolean => {
    const differs = (field: "uid" | "resourceVersion") => {
      const wanted = at(meant, "metadata", field)
      return wanted !== undefined && wanted !== before?.metadata[field]
    }
    return differs("uid") || (before !== undefined && differs("resourceVersion"))
  }

  /** Why an object may not become this, if so. */
  const objection = (before: Stored | undefined, next: Record<string, unknown>): ApplyError | undefined => {
    const schema = schemaOf(String(next.kind), find)
    const unknown = schema === undefined ? undefined : unknownField(schema, next)
    // Said as a fault of the server's, and it passes when the definition is brought up to date.
    if (unknown !== undefined)
      return new ClusterUnavailable({ operation: "apply", message: `${unknown}: field not declared in schema` })
    const held = before?.metadata.deletionTimestamp === undefined ? undefined : (before.metadata.finalizers ?? [])
    const finalizers = (at(next, "metadata", "finalizers") ?? []) as ReadonlyArray<string>
    const field = before === undefined ? undefined : immutableChange(before, next)
    const message =
      (field === undefined ? undefined : `${field}: field is immutable`) ??
      (held !== undefined && finalizers.some((one) => !held.includes(one))
        ? "metadata.finalizers: no new finalizers can be added if the object is being deleted"
        : undefined) ??
      (schema === undefined ? undefined : invalidity(schema, next, before))
    return message === undefined
      ? undefined
      : new Refused({ object: nameOf(refOf(next as Manifest)), reason: "Invalid", message })
  }

  const siblingsOf = (object: Manifest) => all().filter((one) => one.metadata.namespace === object.metadata.namespace)

  const apply = (
    sent: Manifest,
    options: { readonly manager: string; readonly force: boolean; readonly status?: boolean },
  ): Result.Result<Stored, ApplyError> => {
    const ref = refOf(sent)
    const name = nameOf(ref)
    const before = find(ref)
    const manifest = before === undefined && sent.kind === "Pod" ? limited(sent, siblingsOf(sent)) : sent
    if (stale(manifest, before))
      return Result.fail(new Conflict({ object: name, message: "the object has been modified" }))
    if (before === undefined && options.status === true) return Result.fail(new NotFound({ object: name }))
    const refusal = before === undefined ? barrier(manifest) : undefined
    if (refusal !== undefined) return Result.fail(refusal)
    const ownership = entries.get(name)?.ownership ?? {}
    // Status is a resource of its own: an apply of the object can't touch it, nor one of the status the object.
    const { status: _, ...withoutStatus } = manifest
    const applied = options.status === true || manifest.kind !== "Agent" ? manifest : withoutStatus
    const manager = options.status === true ? `${options.manager}/status` : options.manager
    const merged = mergeApplied(before, ownership, manager, applied, options.force)
    if (merged._tag === "Conflicting")
      return Result.fail(
        new Conflict({ object: name, message: `conflict with "${merged.manager}": ${merged.fields.join(", ")}` }),
      )
    const next = { ...merged.object, apiVersion: manifest.apiVersion, kind: manifest.kind } as Record<string, unknown>
    const initial = before === undefined && manifest.kind === "Namespace" ? { status: { phase: "Active" } } : {}
    const metadata = {
      ...(next.metadata as object),
      name: ref.name,
      ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }),
    }
    const whole = { ...initial, ...next, metadata }
    const refused = objection(before, whole)
    return refused === undefined ? Result.succeed(put(before, whole, merged.ownership)) : Result.fail(refused)
  }

  /** A plain write by some other controller or person. */
  const update = (
    ref: Ref,
    manager: string,
    change: (object: Stored) => Record<string, unknown>,
  ): Result.Result<Stored, ApplyError> => {
    const entry = entries.get(nameOf(ref))
    if (entry === undefined) return Result.fail(new NotFound({ object: nameOf(ref) }))
    const next = change(entry.object)
    if (stale(next, entry.object))
      return Result.fail(new Conflict({ object: nameOf(ref), message: "the object has been modified" }))
    const refused = objection(entry.object, next)
    if (refused !== undefined) return Result.fail(refused)
    return Result.succeed(put(entry.object, next, afterUpdate(entry.object, next, entry.ownership, manager)))
  }

  return {
    apply,
    update,
    remove,
    purge,
    find,
    all,
    /** Whether the server has such a kind at all. */
    serves: (kind: KindName): boolean => servingOf(kind, find) !== "absent",
    get: (ref: Ref) => Option.fromUndefinedOr(find(ref)),
    list: (kind: KindName, selector: Selector) => ({
      items: all().filter((object) => object.kind === kind && selects(selector, object)),
      resourceVersion: String(clock),
    }),
    /** Changes after a place; `undefined` when some of them are forgotten. */
    since: (place: number): ReadonlyArray<Change> | undefined => {
      const oldest = history[0]?.resourceVersion ?? clock + 1
      return place < oldest - 1 ? undefined : history.filter((change) => change.resourceVersion > place)
    },
    listen: (listener: (change: Change) => void) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

export type MemoryStore = ReturnType<typeof make>
