/**
 * What an agent should be, and how a change moves it. Pure: the first state follows from the order and the sealed secrets,
 * every later one from the state before and one change. A change that alters nothing makes no new generation.
 */
import type { Desired, JobReason, SecretPurpose } from "@berth/domain/Jobs"
import type { SuspensionReason } from "@berth/domain/Lifecycle"
import { type ModelId, type SoldTierId, tiers } from "@berth/domain/Tiers"

export interface Ordered {
  readonly tier: SoldTierId
  readonly botUsername: string
  readonly telegramUserId: string
}

const modelsOf = (tier: SoldTierId) => tiers[tier].models as readonly [ModelId, ...Array<ModelId>]

export const desiredOf = (order: Ordered, secrets: Desired["secrets"]): Desired => ({
  tier: order.tier,
  models: modelsOf(order.tier),
  imageChannel: "stable",
  telegram: { botUsername: order.botUsername, allowedUserIds: [order.telegramUserId] },
  suspended: [],
  secrets,
})

export type Change =
  | { readonly _tag: "Suspend"; readonly reason: SuspensionReason }
  | { readonly _tag: "Resume"; readonly reason: SuspensionReason }
  /** The agent and all its data go, once the data is exported. Paying calls it off until data is being deleted. */
  | { readonly _tag: "Deprovision" }
  /** Of an agent that is leaving: its data goes although it was not exported. */
  | { readonly _tag: "WaiveExport" }
  /** It is of another tier from now on: other resources and models. */
  | { readonly _tag: "Tier"; readonly tier: SoldTierId }
  /** Its bot has a new token at Telegram, sealed as this version. */
  | { readonly _tag: "NewBotToken"; readonly version: number }
  /** It pays by another token from now on, sealed as this version. */
  | { readonly _tag: "NewProxyToken"; readonly version: number }
  /** Its pod is to be replaced by another like it. Asked at this time, epoch ms. */
  | { readonly _tag: "Restart"; readonly at: number }

interface Next {
  readonly desired: Desired
  readonly generation: number
  readonly reason: JobReason
}

/** The next state and the lane of its job, or undefined if the change alters nothing. */
export const decide = (
  agent: { readonly generation: number; readonly desired: Desired },
  change: Change,
): Next | undefined => {
  const { desired } = agent
  const generation = agent.generation + 1
  if (desired.deletion !== undefined) return leaving(agent, desired.deletion, change)
  switch (change._tag) {
    case "Suspend":
      return desired.suspended.includes(change.reason)
        ? undefined
        : { desired: { ...desired, suspended: [...desired.suspended, change.reason] }, generation, reason: "suspend" }
    case "Resume": {
      const suspended = desired.suspended.filter((reason) => reason !== change.reason)
      return suspended.length === desired.suspended.length
        ? undefined
        : { desired: { ...desired, suspended }, generation, reason: "resume" }
    }
    case "Deprovision":
      return {
        desired: { ...desired, deletion: { confirmedGeneration: generation } },
        generation,
        reason: "deprovision",
      }
    case "WaiveExport":
      return undefined
    case "Tier":
      return desired.tier === change.tier
        ? undefined
        : { desired: { ...desired, tier: change.tier, models: modelsOf(change.tier) }, generation, reason: "update" }
    case "NewBotToken":
      return withSecret(agent, "botToken", change.version)
    case "NewProxyToken":
      return withSecret(agent, "proxyToken", change.version)
    case "Restart":
      return change.at <= (desired.restartedAt ?? 0)
        ? undefined
        : { desired: { ...desired, restartedAt: change.at }, generation, reason: "restart" }
  }
}

const withSecret = (
  { desired, generation }: { readonly generation: number; readonly desired: Desired },
  purpose: SecretPurpose,
  version: number,
): Next | undefined =>
  version <= desired.secrets[purpose]
    ? undefined
    : {
        desired: { ...desired, secrets: { ...desired.secrets, [purpose]: version } },
        generation: generation + 1,
        reason: "rotate",
      }

/** Nothing changes a leaving agent, but that its owner pays after all, or that ops give its export up. */
const leaving = (
  agent: { readonly generation: number; readonly desired: Desired },
  deletion: NonNullable<Desired["deletion"]>,
  change: Change,
): Next | undefined => {
  const generation = agent.generation + 1
  if (change._tag === "WaiveExport" && deletion.exportWaived !== true)
    return {
      desired: { ...agent.desired, deletion: { confirmedGeneration: generation, exportWaived: true } },
      generation,
      reason: "deprovision",
    }
  const isPaid = change._tag === "Resume" && change.reason === "payment" && agent.desired.suspended.includes("payment")
  if (!isPaid) return undefined
  const { deletion: _, ...desired } = agent.desired
  return {
    desired: { ...desired, suspended: desired.suspended.filter((reason) => reason !== "payment") },
    generation,
    reason: "resume",
  }
}

/** Whether the proxy must refuse: a suspended or a leaving agent spends nothing. */
export const isBlocked = (desired: Desired): boolean => desired.suspended.length > 0 || desired.deletion !== undefined
