/**
 * How the memory cluster merges what a field manager applies into what is stored, by the rules of server-side apply:
 * a manager owns the fields it set, a different value for a field of another manager is a conflict unless forced, and a
 * field that its only owner no longer sets is removed. Pure.
 */
import * as Predicate from "effect/Predicate"
import { canonical } from "../Manifest.ts"

/** One step into an object: a field, an item of a list that is a map by its key fields, or an item of a set. */
type Segment =
  | { readonly field: string }
  | { readonly key: Readonly<Record<string, unknown>> }
  | { readonly item: unknown }
type Path = ReadonlyArray<Segment>

/** Which leaf paths (canonical JSON of a Path) each manager owns. */
export type Ownership = Readonly<Record<string, ReadonlyArray<string>>>

export type Merge =
  | { readonly _tag: "Merged"; readonly object: Record<string, unknown>; readonly ownership: Ownership }
  | { readonly _tag: "Conflicting"; readonly fields: ReadonlyArray<string>; readonly manager: string }

/** Lists that Kubernetes merges item by item, by their key fields. Every other list but `finalizers` is one value. */
const listKeys: Readonly<Record<string, ReadonlyArray<string>>> = {
  containers: ["name"],
  initContainers: ["name"],
  env: ["name"],
  volumes: ["name"],
  volumeMounts: ["mountPath"],
  topologySpreadConstraints: ["topologyKey", "whenUnsatisfiable"],
  conditions: ["type"],
  ownerReferences: ["uid"],
  imagePullSecrets: ["name"],
}
/** Maps that are one value: half of a selector selects something else. */
const atomicMaps = new Set(["selector", "podSelector", "namespaceSelector", "nodeSelector", "secretKeyRef"])

/** `ports` of a container and of a Service differ in their key. */
const portKeys = (item: unknown): ReadonlyArray<string> =>
  Predicate.hasProperty(item, "containerPort") ? ["containerPort", "protocol"] : ["port", "protocol"]

const keysOf = (field: string, items: ReadonlyArray<unknown>): ReadonlyArray<string> | undefined => {
  if (items.length === 0 || !items.every(Predicate.isObject)) return undefined
  return field === "ports" ? portKeys(items[0]) : listKeys[field]
}

const pick = (item: object, keys: ReadonlyArray<string>): Record<string, unknown> =>
  Object.fromEntries(keys.map((key) => [key, (item as Record<string, unknown>)[key]]))

/** Fields that name or version an object; nobody owns them. */
const unowned = new Set(["apiVersion", "kind"])
const unownedMeta = new Set([
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "managedFields",
])

/** An empty map that is applied asks only for a map to be there: it takes nothing out. */
const holds = (live: unknown, path: Path, value: unknown): boolean => {
  const last = path.at(-1)
  const isAtomic = last !== undefined && "field" in last && atomicMaps.has(last.field)
  const standing = read(live, path)
  return Predicate.isObject(value) && Object.keys(value).length === 0 && !isAtomic
    ? Predicate.isObject(standing)
    : canonical(standing) === canonical(value)
}

/** Every leaf of an object with its path. Empty maps and lists are leaves, and so is a list that is one value. */
export const leavesOf = (object: object): ReadonlyArray<readonly [Path, unknown]> => {
  const walk = (value: unknown, path: Path, field: string): ReadonlyArray<readonly [Path, unknown]> => {
    if (value === undefined) return []
    if (Array.isArray(value)) {
      if (field === "finalizers" && value.length > 0) return value.map((item) => [[...path, { item }], item] as const)
      const keys = keysOf(field, value)
      if (keys === undefined) return [[path, value]]
      return value.flatMap((item: object) => walk(item, [...path, { key: pick(item, keys) }], ""))
    }
    if (Predicate.isObject(value) && !atomicMaps.has(field)) {
      const members = Object.entries(value).filter(([name]) =>
        path.length === 0 ? !unowned.has(name) : !(path.length === 1 && field === "metadata" && unownedMeta.has(name)),
      )
      return Object.keys(value).length === 0 && path.length > 0
        ? [[path, value]]
        : members.flatMap(([name, member]) => walk(member, [...path, { field: name }], name))
    }
    return [[path, value]]
  }
  return walk(object, [], "")
}

const matches = (item: unknown, segment: Segment): boolean =>
  "item" in segment
    ? canonical(item) === canonical(segment.item)
    : "key" in segment &&
      Predicate.isObject(item) &&
      canonical(pick(item, Object.keys(segment.key))) === canonical(segment.key)

const read = (value: unknown, path: Path): unknown => {
  let current = value
  for (const segment of path) {
    if (!Predicate.isObjectOrArray(current)) return undefined
    if ("field" in segment) current = (current as Record<string, unknown>)[segment.field]
    else current = Array.isArray(current) ? current.find((item) => matches(item, segment)) : undefined
  }
  return current
}

/** A copy with the value at the path. */
const write = (value: unknown, [head, ...rest]: Path, leaf: unknown): unknown => {
  if (head === undefined) return leaf
  if ("field" in head) {
    const base = Predicate.isObject(value) ? (value as Record<string, unknown>) : {}
    return { ...base, [head.field]: write(base[head.field], rest, leaf) }
  }
  const items: ReadonlyArray<unknown> = Array.isArray(value) ? value : []
  const index = items.findIndex((item) => matches(item, head))
  const fresh = "key" in head ? { ...head.key } : head.item
  return index === -1
    ? [...items, write(fresh, rest, leaf)]
    : items.map((item, place) => (place === index ? write(item, rest, leaf) : item))
}

/** A copy without the value at the path, and without what the removal left empty. */
const erase = (value: unknown, [head, ...rest]: Path): unknown => {
  if (head === undefined) return undefined
  if ("field" in head) {
    if (!Predicate.isObject(value)) return value
    const { [head.field]: member, ...others } = value as Record<string, unknown>
    const left = erase(member, rest)
    return left === undefined ? emptyToNothing(others) : { ...others, [head.field]: left }
  }
  if (!Array.isArray(value)) return value
  const left = value.flatMap((item) => {
    if (!matches(item, head)) return [item]
    const kept = erase(item, rest)
    return kept === undefined ? [] : [kept]
  })
  return left.length === 0 ? undefined : left
}

/** A field by which its list tells its items apart. */
const isKeyField = (path: Path): boolean => {
  const [item, field] = path.slice(-2)
  return item !== undefined && "key" in item && field !== undefined && "field" in field && field.field in item.key
}

const emptyToNothing = (object: Record<string, unknown>) => (Object.keys(object).length === 0 ? undefined : object)

const related = (a: string, b: string): boolean => {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a]
  return short === long || long.startsWith(`${short.slice(0, -1)},`)
}

const describe = (path: Path): string =>
  path
    .map((segment) =>
      "field" in segment ? `.${segment.field}` : `[${canonical("key" in segment ? segment.key : segment.item)}]`,
    )
    .join("")

export const merge = (
  live: Record<string, unknown> | undefined,
  ownership: Ownership,
  manager: string,
  applied: object,
  force: boolean,
): Merge => {
  const leaves = leavesOf(applied).map(([path, value]) => ({ path, value, key: canonical(path) }))
  const differing = leaves.filter(({ path, value }) => !holds(live, path, value))
  const others = Object.entries(ownership).filter(([name]) => name !== manager)
  if (!force)
    for (const [name, owned] of others) {
      const fields = differing
        .filter(({ key }) => owned.some((one) => related(one, key)))
        .map(({ path }) => describe(path))
      if (fields.length > 0) return { _tag: "Conflicting", fields, manager: name }
    }
  const mine = new Set(leaves.map(({ key }) => key))
  const kept = others.map(
    ([name, owned]) => [name, owned.filter((one) => !differing.some(({ key }) => related(one, key)))] as const,
  )
  const dropped = (ownership[manager] ?? []).filter(
    (one) => !mine.has(one) && !kept.some(([, owned]) => owned.some((other) => related(other, one))),
  )
  const without = dropped
    .map((path) => JSON.parse(path) as Path)
    // What an item is found by goes last, or the rest of it would not be found any more.
    .sort((a, b) => Number(isKeyField(a)) - Number(isKeyField(b)))
    .reduce<unknown>((object, path) => erase(object, path) ?? {}, live ?? {})
  const object = leaves.reduce<unknown>(
    (current, { path, value }) => (holds(current, path, value) ? current : write(current, path, value)),
    without,
  )
  return {
    _tag: "Merged",
    object: object as Record<string, unknown>,
    ownership: { ...Object.fromEntries(kept.filter(([, owned]) => owned.length > 0)), [manager]: [...mine] },
  }
}

/** What a plain update (not an apply) does to ownership: the updater owns what it changed, and what is gone is nobody's. */
export const afterUpdate = (before: object, after: object, ownership: Ownership, manager: string): Ownership => {
  const leaves = leavesOf(after).map(([path, value]) => ({ path, value, key: canonical(path) }))
  const present = new Set(leaves.map(({ key }) => key))
  const changed = leaves
    .filter(({ path, value }) => canonical(read(before, path)) !== canonical(value))
    .map(({ key }) => key)
  const kept = Object.entries(ownership).map(
    ([name, owned]) => [name, owned.filter((one) => present.has(one) && !changed.includes(one))] as const,
  )
  const own = new Set([...(kept.find(([name]) => name === manager)?.[1] ?? []), ...changed])
  return {
    ...Object.fromEntries(kept.filter(([name, owned]) => name !== manager && owned.length > 0)),
    ...(own.size > 0 ? { [manager]: [...own] } : {}),
  }
}
