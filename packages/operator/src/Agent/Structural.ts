/**
 * A Schema as Kubernetes takes it in a CustomResourceDefinition ("structural"): no references, no tuples, one type a node.
 * What JSON schema says and Kubernetes forbids (unique items) becomes a rule. A union of shapes keeps its fields
 * unchecked; the operator itself decodes them. Pure.
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type { JsonObject } from "../Manifest.ts"

export const uniqueRule = {
  rule: "self.all(one, self.exists_one(other, one == other))",
  message: "each may stand here once",
} as const

const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

/** Kept as they are, where they say something. */
const copied = ["type", "enum", "pattern", "minItems", "maxItems", "minLength", "maxLength", "description"] as const

/** The widest integer that JSON carries says nothing. */
const bounds = (node: Record<string, unknown>): JsonObject => ({
  ...(typeof node.minimum === "number" && node.minimum > Number.MIN_SAFE_INTEGER ? { minimum: node.minimum } : {}),
  ...(typeof node.maximum === "number" && node.maximum < Number.MAX_SAFE_INTEGER ? { maximum: node.maximum } : {}),
  ...(node.type === "integer" ? { format: "int64" } : {}),
})

const structural = (node: unknown, definitions: unknown): JsonObject => {
  if (!Predicate.isObject(node)) return {}
  const one = node as Record<string, unknown>
  const described = typeof one.description === "string" ? { description: one.description } : {}
  if (typeof one.$ref === "string") {
    const name = one.$ref.split("/").at(-1) ?? ""
    return { ...structural((definitions as Record<string, unknown>)[name], definitions), ...described }
  }
  if (isList(one.anyOf))
    return one.anyOf.length === 1
      ? { ...structural(one.anyOf[0], definitions), ...described }
      : { type: "object", "x-kubernetes-preserve-unknown-fields": true, ...described }
  const merged = isList(one.allOf)
    ? (Object.assign({}, ...one.allOf.map((part) => structural(part, definitions))) as JsonObject)
    : {}
  return {
    ...merged,
    ...(Object.fromEntries(copied.flatMap((key) => (one[key] === undefined ? [] : [[key, one[key]]]))) as JsonObject),
    ...bounds(one),
    ...(one.uniqueItems === true ? { "x-kubernetes-validations": [uniqueRule] } : {}),
    ...(one.items === undefined ? {} : { items: structural(one.items, definitions) }),
    ...(Predicate.isObject(one.properties)
      ? {
          properties: Object.fromEntries(
            Object.entries(one.properties).map(([name, property]) => [name, structural(property, definitions)]),
          ),
        }
      : {}),
    ...(isList(one.required) && one.required.length > 0 ? { required: one.required as ReadonlyArray<string> } : {}),
  }
}

export const structuralOf = (schema: Schema.Top): JsonObject => {
  const document = Schema.toJsonSchemaDocument(schema)
  return structural(document.schema, document.definitions)
}
