/**
 * What an API server does with custom resources: it serves a kind while its definition stands, and refuses what the
 * definition's schema and rules forbid. Pure.
 */
import * as Predicate from "effect/Predicate"
import { rules } from "../Agent/Rules.ts"
import { uniqueRule } from "../Agent/Structural.ts"
import { at, canonical, type JsonObject, type Manifest, type Stored } from "../Manifest.ts"

/** Of the built-in kinds there is no definition: they are always served. */
const custom: Readonly<Record<string, string>> = { Agent: "agents.berth.dev" }

export type Serving = "served" | "terminating" | "absent"

/** How a kind stands with the server. */
export const servingOf = (kind: string, find: (ref: { kind: string; name: string }) => Stored | undefined): Serving => {
  const name = custom[kind]
  if (name === undefined) return "served"
  const definition = find({ kind: "CustomResourceDefinition", name })
  if (definition === undefined) return "absent"
  return definition.metadata.deletionTimestamp === undefined ? "served" : "terminating"
}

/** The kind that a definition defines, if it is one. */
export const definedBy = (definition: Manifest): string | undefined =>
  definition.kind === "CustomResourceDefinition"
    ? Object.keys(custom).find((kind) => custom[kind] === definition.metadata.name)
    : undefined

export const schemaOf = (
  kind: string,
  find: (ref: { kind: string; name: string }) => Stored | undefined,
): JsonObject | undefined => {
  const name = custom[kind]
  const definition = name === undefined ? undefined : find({ kind: "CustomResourceDefinition", name })
  return at(definition, "spec", "versions", 0, "schema", "openAPIV3Schema") as JsonObject | undefined
}

const typeOf = (value: unknown): string => {
  if (Array.isArray(value)) return "array"
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number"
  return typeof value
}

/** What of one value its own node refuses. */
const breach = (node: JsonObject, value: unknown): string | undefined => {
  if (node.type !== typeOf(value)) return `must be of type ${String(node.type)}`
  const { enum: values, maxItems, minimum, minItems, pattern } = node
  if (Array.isArray(values) && !values.includes(value)) return "unsupported value"
  if (typeof pattern === "string" && !new RegExp(pattern, "u").test(String(value))) return `should match '${pattern}'`
  if (typeof minimum === "number" && Number(value) < minimum) return `should be greater than or equal to ${minimum}`
  const length = Array.isArray(value) ? value.length : 0
  if (typeof minItems === "number" && length < minItems) return `should have at least ${minItems} items`
  if (typeof maxItems === "number" && length > maxItems) return `must have at most ${maxItems} items`
  return undefined
}

const isUnique = (values: unknown): boolean =>
  !Array.isArray(values) || new Set(values.map(canonical)).size === values.length

/** What the rules at one node refuse. */
const brokenRule = (node: JsonObject, value: unknown, before: unknown): string | undefined =>
  ((node["x-kubernetes-validations"] ?? []) as ReadonlyArray<JsonObject>).flatMap(({ rule, message }) => {
    const holds = rule === uniqueRule.rule ? isUnique : rules.find((one) => one.rule === rule)?.holds
    // A rule that only CEL knows can't be judged here; the definition and Rules.ts are made together.
    return holds === undefined || holds(value, before) ? [] : [String(message)]
  })[0]

const isEnvelope = (path: string, name: string): boolean =>
  path === "" && ["apiVersion", "kind", "metadata"].includes(name)

/** The first field that the definition doesn't know. */
export const unknownField = (node: JsonObject, value: unknown, path = ""): string | undefined => {
  if (node["x-kubernetes-preserve-unknown-fields"] === true) return undefined
  if (Array.isArray(value))
    return value
      .map((item, index) => unknownField((node.items ?? {}) as JsonObject, item, `${path}[${index}]`))
      .find(isText)
  if (!Predicate.isObject(value)) return undefined
  return Object.entries(value)
    .filter(([name, member]) => member !== undefined && !isEnvelope(path, name))
    .map(([name, member]) => {
      const child = at(node, "properties", name)
      return child === undefined ? `${path}.${name}` : unknownField(child as JsonObject, member, `${path}.${name}`)
    })
    .find(isText)
}

const isText = (value: unknown): value is string => typeof value === "string"

/** The first thing about fields that the definition knows which it forbids. `before` is what stood. */
export const invalidity = (node: JsonObject, value: unknown, before: unknown, path = ""): string | undefined => {
  const own = breach(node, value)
  if (own !== undefined) return `${path}: Invalid value: ${own}`
  if (node["x-kubernetes-preserve-unknown-fields"] === true) return undefined
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const found = invalidity(node.items as JsonObject, item, undefined, `${path}[${index}]`)
      if (found !== undefined) return found
    }
  } else if (Predicate.isObject(value)) {
    const properties = (node.properties ?? {}) as JsonObject
    const missing = ((node.required ?? []) as ReadonlyArray<string>).find((name) => at(value, name) === undefined)
    if (missing !== undefined) return `${path}.${missing}: Required value`
    for (const [name, member] of Object.entries(value)) {
      const child = properties[name]
      if (member === undefined || child === undefined) continue
      const found = invalidity(child as JsonObject, member, at(before, name), `${path}.${name}`)
      if (found !== undefined) return found
    }
  }
  const broken = brokenRule(node, value, before)
  return broken === undefined ? undefined : `${path}: Invalid value: ${broken}`
}
