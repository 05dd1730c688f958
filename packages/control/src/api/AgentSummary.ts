/** What an agent's phase means for its owner, in words, with what to do. Pure. */
import type { Phase, SuspensionReason } from "@berth/domain/Lifecycle"

const suspensions: Readonly<Record<SuspensionReason, string>> = {
  payment: "because a payment failed. Pay, and it comes back with its data",
  customer: "because you asked for it",
  abuse: "for a look at how it is used. Write to support",
  security: "for your safety. Write to support",
}

export const summarize = (
  phase: Phase,
  botUsername: string,
  suspended: ReadonlyArray<SuspensionReason>,
  failure: { readonly message: string; readonly retriable: boolean } | null,
): string => {
  switch (phase) {
    case "pending":
    case "provisioning":
      return "Your agent is being set up. This takes a minute or two."
    case "active":
      return `Your agent is live. Message @${botUsername}.`
    case "updating":
      return "Your agent is being updated and is back in a moment."
    case "suspended": {
      const [reason] = suspended
      return `Your agent is suspended${reason === undefined ? "" : ` ${suspensions[reason]}`}.`
    }
    case "failed":
      return `Your agent could not be started: ${failure?.message ?? "the reason is not known yet."} ${
        failure?.retriable === false ? "We look into it." : "It is being tried again."
      }`
    case "deprovisioning":
      return "Your agent is stopped. Its data is exported for you, then all of it is deleted."
    case "deleted":
      return "Your agent and its data are deleted."
  }
}
