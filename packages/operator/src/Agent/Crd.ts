/** The CustomResourceDefinition of Agent, made from its Schema so that the two can't drift apart. Pure. */
import { AgentSpec, AgentStatus } from "../Agent.ts"
import { at, type JsonObject, type Manifest } from "../Manifest.ts"
import { rules } from "./Rules.ts"
import { structuralOf } from "./Structural.ts"

/** Shown by `kubectl get agents`; with a priority only by `-o wide`. A priority of 0 is none: the server drops it. */
const column = (name: string, type: string, jsonPath: string, priority?: number) => ({
  name,
  type,
  jsonPath,
  ...(priority === undefined ? {} : { priority }),
})

/** A copy of the schema with the rules that stand at each of its nodes. */
const ruled = (node: JsonObject, path: ReadonlyArray<string> = []): JsonObject => {
  const here = rules.filter((one) => one.path.join(".") === path.join("."))
  const properties = at(node, "properties") as JsonObject | undefined
  return {
    ...node,
    ...(here.length === 0
      ? {}
      : {
          "x-kubernetes-validations": [
            ...((node["x-kubernetes-validations"] ?? []) as ReadonlyArray<JsonObject>),
            ...here.map(({ rule, message }) => ({ rule, message })),
          ],
        }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, child]) => [name, ruled(child as JsonObject, [...path, name])]),
          ),
        }),
  }
}

const status = structuralOf(AgentStatus)
const statusFields = status.properties as JsonObject

export const agentSchema: JsonObject = ruled({
  type: "object",
  description:
    "One customer's OpenClaw agent. Its name is the customer's id; it lives in the namespace `customer-<id>`.",
  required: ["spec"],
  properties: {
    spec: {
      ...structuralOf(AgentSpec),
      description: "What the agent should be: the desired state of the newest job. Changed through the API alone.",
    },
    status: {
      ...status,
      description: "What the operator last saw and reported.",
      properties: {
        ...statusFields,
        conditions: {
          ...(statusFields.conditions as JsonObject),
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["type"],
        },
      },
    },
  },
})

export const agentCrd: Manifest = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "agents.berth.dev", labels: { "app.kubernetes.io/part-of": "berth" } },
  spec: {
    group: "berth.dev",
    scope: "Cluster",
    names: { plural: "agents", singular: "agent", kind: "Agent", listKind: "AgentList", shortNames: ["ag"] },
    conversion: { strategy: "None" },
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
          column("Age", "date", ".metadata.creationTimestamp"),
          column("Why", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
          column("Generation", "integer", ".spec.generation", 1),
        ],
        schema: { openAPIV3Schema: agentSchema },
      },
    ],
  },
}
