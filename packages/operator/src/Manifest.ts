/**
 * Kubernetes objects as plain JSON, as they are sent and stored. Pure. They are never turned into a client library's
 * classes: those drop fields that they don't know, and a NetworkPolicy without its rules allows everything.
 */
import { createHash } from "node:crypto"
import * as Predicate from "effect/Predicate"

export type Json = null | boolean | number | string | ReadonlyArray<Json> | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: ReadonlyArray<string>
  readonly uid?: string
  readonly resourceVersion?: string
  readonly ownerReferences?: ReadonlyArray<JsonObject>
}

/** What an object should be. Every field that is set here is meant. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly [field: string]: unknown
}

/** An object as the cluster stores it. */
export interface Stored extends Manifest {
  readonly metadata: ObjectMeta & {
    readonly uid: string
    readonly resourceVersion: string
    readonly generation?: number
    readonly creationTimestamp: string
    readonly deletionTimestamp?: string
  }
}

export interface Ref {
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}

export const refOf = (object: Manifest): Ref => ({
  kind: object.kind,
  name: object.metadata.name,
  ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
})

/** `Deployment customer-ada/openclaw`: identifies an object in keys, messages and events. */
export const nameOf = (ref: Ref): string =>
  `${ref.kind} ${ref.namespace === undefined ? "" : `${ref.namespace}/`}${ref.name}`

/** A value inside an object, or `undefined` where the path ends early. */
export const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>(
    (current, key) =>
      Predicate.isObjectOrArray(current) ? (current as Record<string | number, unknown>)[key] : undefined,
    value,
  )

/** JSON with sorted keys, so that equal values have equal texts. */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (Predicate.isObject(value))
    return `{${Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`)
      .join(",")}}`
  return JSON.stringify(value) ?? "null"
}

/** First 16 hex digits of SHA-256 over the canonical JSON. */
export const hashOf = (value: unknown): string =>
  createHash("sha256").update(canonical(value)).digest("hex").slice(0, 16)

/**
 * The first place where `stored` lacks what is `meant`, or `undefined` when it holds all of it. Fields that others
 * added to maps and finalizers don't count; other lists must be equal in length, since an extra rule or container changes
 * what a list means.
 */
export const missingFrom = (meant: unknown, stored: unknown, path = ""): string | undefined => {
  if (Array.isArray(meant)) {
    if (path.endsWith(".finalizers"))
      return Array.isArray(stored) && meant.every((one) => stored.includes(one)) ? undefined : path
    if (!Array.isArray(stored) || stored.length !== meant.length) return path
    return first(meant.map((one, index) => () => missingFrom(one, stored[index], `${path}[${index}]`)))
  }
  if (Predicate.isObject(meant)) {
    if (!Predicate.isObject(stored)) return path
    return first(
      Object.entries(meant).map(
        ([key, one]) =>
          () =>
            one === undefined ? undefined : missingFrom(one, at(stored, key), `${path}.${key}`),
      ),
    )
  }
  return meant === stored ? undefined : path
}

/** Kinds where more than what is meant is as bad as less: one field more in a rule can open a port range. */
const exact = new Set(["NetworkPolicy"])

/** Where an object differs from what is meant, or `undefined`. Versions and status are the server's own. */
export const differenceFrom = (meant: Manifest, stored: Stored): string | undefined => {
  const { status: _, ...rest } = meant
  const { resourceVersion: __, ...metadata } = meant.metadata
  if (exact.has(meant.kind) && canonical(meant.spec) !== canonical(stored.spec)) return ".spec"
  return missingFrom({ ...rest, metadata }, stored)
}

const first = (checks: ReadonlyArray<() => string | undefined>): string | undefined => {
  for (const check of checks) {
    const found = check()
    if (found !== undefined) return found
  }
  return undefined
}
