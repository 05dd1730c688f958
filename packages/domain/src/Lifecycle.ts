/**
 * The life of an agent: its phases, which may follow which, and why it may be suspended.
 * Order, subscription and agent phase are three fields, never one; this file is about the agent alone.
 */
import * as Schema from "effect/Schema"

export const Phase = Schema.Literals([
  "pending",
  "provisioning",
  "active",
  "updating",
  "suspended",
  "failed",
  "deprovisioning",
  "deleted",
])
export type Phase = typeof Phase.Type

const followers: Readonly<Record<Phase, ReadonlyArray<Phase>>> = {
  pending: ["provisioning", "suspended", "deprovisioning"],
  provisioning: ["active", "failed", "suspended", "deprovisioning"],
  active: ["updating", "provisioning", "suspended", "failed", "deprovisioning"],
  updating: ["active", "failed", "suspended", "deprovisioning"],
  suspended: ["provisioning", "updating", "active", "deprovisioning"],
  failed: ["provisioning", "updating", "active", "suspended", "deprovisioning"],
  // Whoever pays before the data is deleted keeps it: then the agent is put in place again.
  deprovisioning: ["provisioning", "deleted"],
  deleted: ["provisioning"],
}

/** Whether `to` may be reported after `from`. Staying in a phase is always allowed. */
export const mayFollow = (from: Phase, to: Phase): boolean => from === to || followers[from].includes(to)

/** Why an agent is kept from running. It runs only while the set is empty; any of them blocks it in the proxy at once. */
export const SuspensionReason = Schema.Literals(["payment", "customer", "abuse", "security"])
export type SuspensionReason = typeof SuspensionReason.Type

/** The steps of provisioning, in order, as they are reported to the customer. */
export const Step = Schema.Literals([
  "Namespace",
  "ServiceAccount",
  "Secret",
  "ConfigMap",
  "Quota",
  "NetworkPolicy",
  "Volume",
  "Service",
  "Deployment",
  "Ready",
])
export type Step = typeof Step.Type
export const steps: ReadonlyArray<Step> = Step.literals
