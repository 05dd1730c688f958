/**
 * The custom resource `agents.berth.dev`, cluster-scoped: what one customer's agent should be (`spec`, the desired state
 * of the newest job, no secret in it) and what the operator last saw and reported (`status`). The Agent's name is the
 * customer id. The operator's finalizer keeps an Agent that someone deletes by hand until it has been seen.
 */
import { AgentEvent } from "@berth/domain/AgentEvents"
import type { CustomerId } from "@berth/domain/Ids"
import { Desired } from "@berth/domain/Jobs"
import { Phase, Step } from "@berth/domain/Lifecycle"
import * as Schema from "effect/Schema"
import { kinds } from "./Kinds.ts"
import type { JsonObject, Manifest } from "./Manifest.ts"

export const finalizer = "berth.dev/operator"

export const AgentSpec = Schema.Struct({
  ...Desired.fields,
  generation: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)).annotate({
    description: "Generation of the job that this spec came with; it only grows.",
  }),
})
export type AgentSpec = typeof AgentSpec.Type

export const ConditionType = Schema.Literals([
  "Ready",
  "StartQueued",
  "Scheduled",
  "Image",
  "Quota",
  "Memory",
  "Disk",
  "BotToken",
  "Telegram",
  "Data",
  "Exported",
  "DeletionBlocked",
])

export const Condition = Schema.Struct({
  type: ConditionType.annotate({ description: "What the condition is about." }),
  status: Schema.Literals(["True", "False"]).annotate({ description: "Whether it holds." }),
  reason: Schema.String.annotate({ description: "Why, in one word for programs." }),
  message: Schema.String.annotate({ description: "Why, in words that a customer can act on." }),
  lastTransitionTime: Schema.String.annotate({ description: "When the status last changed, ISO 8601." }),
})
export type Condition = typeof Condition.Type

export const AgentStatus = Schema.Struct({
  phase: Phase.annotate({ description: "Where the agent is in its life." }),
  observedGeneration: Schema.Int.annotate({
    description: "Generation that phase and conditions stand for; 0 before the first is fully applied.",
  }),
  conditions: Schema.Array(Condition).annotate({
    description: "What is known of the agent's health, one of each type.",
  }),
  troubles: Schema.optionalKey(Schema.Array(Schema.String)).annotate({
    description: "Reasons of what is wrong with an agent that runs all the same, as its owner was told.",
  }),
  steps: Schema.Array(
    Schema.Struct({
      step: Step.annotate({ description: "What was put in place." }),
      at: Schema.String.annotate({ description: "When it first was, ISO 8601." }),
    }),
  ).annotate({ description: "The steps of provisioning that have been taken." }),
  seq: Schema.Int.annotate({
    description: "Number of the last event that was reported; later events have higher ones.",
  }),
  reports: Schema.Array(AgentEvent).annotate({
    description: "The last events that were reported. They are sent again when it is unknown whether they arrived.",
  }),
})
export type AgentStatus = typeof AgentStatus.Type

const encodeSpec = Schema.encodeSync(AgentSpec)
const encodeStatus = Schema.encodeSync(AgentStatus)

export const statusJson = (status: AgentStatus): JsonObject => encodeStatus(status) as unknown as JsonObject
export const specJson = (spec: AgentSpec): JsonObject => encodeSpec(spec) as unknown as JsonObject

/** The Agent as the operator writes it; with `at`, only on top of that resourceVersion. */
export const agentManifest = (
  customerId: CustomerId,
  spec: AgentSpec,
  options: { readonly at?: string; readonly finalized?: boolean } = {},
): Manifest => ({
  apiVersion: kinds.Agent.apiVersion,
  kind: "Agent",
  metadata: {
    name: customerId,
    labels: { "berth.dev/customer": customerId, "app.kubernetes.io/managed-by": "berth-operator" },
    ...((options.finalized ?? true) ? { finalizers: [finalizer] } : {}),
    ...(options.at === undefined ? {} : { resourceVersion: options.at }),
  },
  spec: specJson(spec),
})
