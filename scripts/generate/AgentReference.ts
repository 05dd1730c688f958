/** The Agent's fields as tables for docs/operator.md, from the schema that the cluster enforces. Pure. */
import { at, type JsonObject } from "../../packages/operator/src/Manifest.ts"

interface Row {
  readonly field: string
  readonly node: JsonObject
  readonly required: boolean
}

/** Every field below a node, in the schema's order. Items of a list stand as `field[]`. */
const rowsOf = (node: JsonObject, prefix: string): ReadonlyArray<Row> => {
  const required = (node.required ?? []) as ReadonlyArray<string>
  return Object.entries((node.properties ?? {}) as JsonObject).flatMap(([name, child]) => {
    const field = prefix === "" ? name : `${prefix}.${name}`
    const one = child as JsonObject
    const items = one.items as JsonObject | undefined
    const below = items === undefined ? rowsOf(one, field) : rowsOf(items, `${field}[]`)
    return [{ field, node: one, required: required.includes(name) }, ...below]
  })
}

const typeOf = (node: JsonObject): string =>
  node.type === "array" ? `list of ${typeOf((node.items ?? {}) as JsonObject)}` : String(node.type ?? "any")

/** What the server refuses, in words. */
const boundsOf = (node: JsonObject): ReadonlyArray<string> => {
  const items = (node.items ?? {}) as JsonObject
  const values = (node.enum ?? items.enum) as ReadonlyArray<string> | undefined
  const pattern = node.pattern ?? items.pattern
  const rules = (node["x-kubernetes-validations"] ?? []) as ReadonlyArray<JsonObject>
  return [
    ...(values === undefined ? [] : [values.map((value) => `\`${value}\``).join(", ")]),
    ...(pattern === undefined ? [] : [`matches \`${String(pattern).replaceAll("|", "\\|")}\``]),
    ...(node.minimum === undefined ? [] : [`at least ${String(node.minimum)}`]),
    ...(node.minItems === undefined ? [] : [`at least ${String(node.minItems)} of them`]),
    ...(node.maxItems === undefined ? [] : [`at most ${String(node.maxItems)} of them`]),
    ...rules.map(({ message }) => String(message)),
  ]
}

const table = (rows: ReadonlyArray<Row>): string =>
  [
    "| field | type | meaning | the server refuses anything but |",
    "|---|---|---|---|",
    ...rows.map(({ field, node, required }) => {
      const type = `${typeOf(node)}${required ? "" : ", may be absent"}`
      return `| \`${field}\` | ${type} | ${String(node.description ?? "")} | ${boundsOf(node).join("; ")} |`
    }),
  ].join("\n")

/** Fields of spec and status, and the rules about an Agent as a whole. */
export const agentReference = (schema: JsonObject): string => {
  const section = (name: "spec" | "status") => {
    const node = at(schema, "properties", name) as JsonObject
    const own = boundsOf(node)
    return [
      `### ${name}`,
      "",
      String(node.description),
      ...(own.length === 0 ? [] : ["", ...own.map((rule) => `- ${rule}`)]),
      "",
      table(rowsOf(node, "")),
    ].join("\n")
  }
  return [
    String(schema.description),
    "",
    ...boundsOf(schema).map((rule) => `- ${rule}`),
    "",
    section("spec"),
    "",
    section("status"),
  ].join("\n")
}
