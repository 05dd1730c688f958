/** What an agent's phase means for its owner, in words, with what to do. Pure. */
import type { Phase, SuspensionReason } from "@berth/domain/Lifecycle"

const suspensions: Readonly<Record<SuspensionReason, string>> = {
  payment: "because a payment failed. Pay, and it comes back with its data",
  customer: "because you asked for it",
  abuse: "for a look at how it is used. Write to support",
  security: "for your safety. Write to support",
}

/** What keeps messages from an agent that runs. */
const deaf: ReadonlySet<string> = new Set(["BotTokenRejected", "TelegramNotConnected"])

/** Whether messages get to it, as far as is known. */
export const isReachable = (phase: Phase, troubles: ReadonlyArray<{ readonly reason: string }>): boolean =>
  phase === "active" && !troubles.some(({ reason }) => deaf.has(reason))

export const summarize = (
  phase: Phase,
  botUsername: string,
  suspended: ReadonlyArray<SuspensionReason>,
  failure: { readonly message: string; readonly retriable: boolean } | null,
  troubles: ReadonlyArray<{ readonly reason: string }>,
): string => {
  switch (phase) {
    case "pending":
    case "provisioning":
      return "Your agent is being set up. This takes a minute or two."
    case "active":
      return isReachable(phase, troubles)
        ? `Your agent is live. Message @${botUsername}.`
        : `Your agent runs, but messages to @${botUsername} do not get to it.`
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
