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
  /** Generation of the job that this spec came with; it only grows. */
  generation: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
})
export type AgentSpec = typeof AgentSpec.Type

export const Condition = Schema.Struct({
  type: Schema.Literals(["Ready", "DeletionBlocked"]),
  status: Schema.Literals(["True", "False"]),
  reason: Schema.String,
  /** In words that a customer can act on. */
  message: Schema.String,
  /** ISO 8601. */
  lastTransitionTime: Schema.String,
})
export type Condition = typeof Condition.Type

export const AgentStatus = Schema.Struct({
  phase: Phase,
  /** The job generation that phase and conditions stand for; 0 before the first is fully applied. */
  observedGeneration: Schema.Int,
  conditions: Schema.Array(Condition),
  /** Each step of provisioning with the time (ISO 8601) at which it was first in place. */
  steps: Schema.Array(Schema.Struct({ step: Step, at: Schema.String })),
  /** Of the last event that was reported; later events have higher ones. */
  seq: Schema.Int,
  /** The last events that were reported. They are sent again when it is unknown whether they arrived. */
  reports: Schema.Array(AgentEvent),
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
