/**
 * What stands in an object and was never meant: a field that somebody added can stop an agent or open a door as well as one
 * that somebody changed. Labels and annotations are anybody's; what the server decides is its own. Server-side apply leaves
 * what others own, so taking it out needs a patch that says so. Pure.
 */
import * as Predicate from "effect/Predicate"
import { at, type Json, type JsonObject, type Manifest } from "./Manifest.ts"

type Path = ReadonlyArray<string>

/** The kinds that are to hold nothing but what is meant, with the fields that the server decides all the same. */
const servers: Readonly<Record<string, ReadonlyArray<string>>> = {
  Agent: [],
  ServiceAccount: [],
  RoleBinding: [],
  Secret: [],
  ConfigMap: [],
  ResourceQuota: [],
  LimitRange: [],
  NetworkPolicy: [],
  Service: ["spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies"],
  // An old name that the server writes beside the new one.
  Deployment: ["spec.template.spec.serviceAccount"],
}

const anybodys = new Set(["labels", "annotations"])

/** Paths of map members that are foreign; a list that holds any is named as a whole. */
const below = (meant: unknown, stored: unknown, path: Path, own: ReadonlyArray<string>): ReadonlyArray<Path> => {
  if (Array.isArray(stored))
    return stored.some((one, index) => below(at(meant, index), one, path, own).length > 0) ? [path] : []
  if (!Predicate.isObject(stored)) return []
  return Object.entries(stored).flatMap(([name, one]) => {
    const here = [...path, name]
    if (own.includes(here.join(".")) || (anybodys.has(name) && path.at(-1) === "metadata")) return []
    const wanted = at(meant, name)
    return wanted === undefined ? [here] : below(wanted, one, here, own)
  })
}

const content = ({ apiVersion: _, kind: __, metadata: ___, status: ____, ...rest }: Manifest) => rest

export const foreignIn = (meant: Manifest, stored: Manifest): ReadonlyArray<Path> => {
  const own = servers[meant.kind]
  return own === undefined ? [] : below(content(meant), content(stored), [], own)
}

const without = (patch: JsonObject, [head, ...rest]: Path): JsonObject => {
  if (head === undefined) return patch
  const inner = at(patch, head)
  if (rest.length === 0) return inner === undefined ? { ...patch, [head]: null } : patch
  return { ...patch, [head]: without((Predicate.isObject(inner) ? inner : {}) as JsonObject, rest) }
}

/** A merge patch that leaves nothing but what is meant: lists as they are meant, foreign members removed. */
export const correction = (meant: Manifest, stored: Manifest): JsonObject =>
  foreignIn(meant, stored).reduce<JsonObject>(without, content(meant) as Readonly<Record<string, Json>>)
