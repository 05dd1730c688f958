/** The CustomResourceDefinition of Agent, made from its Schema so that the two can't drift apart. Pure. */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { AgentSpec, AgentStatus } from "../Agent.ts"
import type { JsonObject, Manifest } from "../Manifest.ts"

const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

/**
 * A JSON schema as Kubernetes accepts it ("structural"): no references, no tuples, one type per node. What is a union
 * of shapes keeps its fields unchecked; the operator itself decodes them.
 */
const structural = (node: unknown, definitions: unknown): JsonObject => {
  if (!Predicate.isObject(node)) return {}
  const {
    $ref,
    anyOf,
    allOf,
    type,
    properties,
    items,
    required,
    minItems,
    enum: values,
    minimum,
  } = node as Record<string, unknown>
  if (typeof $ref === "string")
    return structural((definitions as Record<string, unknown>)[$ref.split("/").at(-1) ?? ""], definitions)
  if (isList(anyOf))
    return anyOf.length === 1
      ? structural(anyOf[0], definitions)
      : { type: "object", "x-kubernetes-preserve-unknown-fields": true }
  const merged = isList(allOf)
    ? (Object.assign({}, ...allOf.map((one) => structural(one, definitions))) as JsonObject)
    : {}
  return {
    ...merged,
    ...(typeof type === "string" ? { type } : {}),
    ...(isList(values) ? { enum: values as ReadonlyArray<string> } : {}),
    ...(typeof minimum === "number" && minimum > Number.MIN_SAFE_INTEGER ? { minimum } : {}),
    ...(type === "integer" ? { format: "int64" } : {}),
    ...(typeof minItems === "number" ? { minItems } : {}),
    ...(items === undefined ? {} : { items: structural(items, definitions) }),
    ...(Predicate.isObject(properties)
      ? {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, one]) => [name, structural(one, definitions)]),
          ),
        }
      : {}),
    ...(isList(required) ? { required: required as ReadonlyArray<string> } : {}),
  }
}

const schemaOf = (schema: Schema.Top): JsonObject => {
  const document = Schema.toJsonSchemaDocument(schema)
  return structural(document.schema, document.definitions)
}

const column = (name: string, type: string, jsonPath: string) => ({ name, type, jsonPath })

export const agentCrd: Manifest = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "agents.berth.dev" },
  spec: {
    group: "berth.dev",
    scope: "Cluster",
    names: { plural: "agents", singular: "agent", kind: "Agent", listKind: "AgentList", shortNames: ["ag"] },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: [
          column("Tier", "string", ".spec.tier"),
          column("Phase", "string", ".status.phase"),
          column("Image", "string", ".spec.imageChannel"),
          column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
          column("Generation", "integer", ".spec.generation"),
          column("Age", "date", ".metadata.creationTimestamp"),
        ],
        schema: {
          openAPIV3Schema: {
            type: "object",
            required: ["spec"],
            properties: {
              spec: {
                ...schemaOf(AgentSpec),
                // Closes the race of two operators that both saw no Agent yet.
                "x-kubernetes-validations": [
                  {
                    rule: "self.generation >= oldSelf.generation",
                    message: "an Agent never goes back to an older generation",
                  },
                ],
              },
              status: schemaOf(AgentStatus),
            },
          },
        },
      },
    ],
  },
}
