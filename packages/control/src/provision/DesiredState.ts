/**
 * What an agent should be, and how a change moves it. Pure: the first state follows from the order and the sealed secrets,
 * every later one from the state before and one change. A change that alters nothing makes no new generation.
 */
import type { Desired, JobReason } from "@berth/domain/Jobs"
import type { SuspensionReason } from "@berth/domain/Lifecycle"
import { type ModelId, type SoldTierId, tiers } from "@berth/domain/Tiers"

export interface Ordered {
  readonly tier: SoldTierId
  readonly botUsername: string
  readonly telegramUserId: string
}

export const desiredOf = (order: Ordered, secrets: Desired["secrets"]): Desired => ({
  tier: order.tier,
  models: tiers[order.tier].models as readonly [ModelId, ...Array<ModelId>],
  imageChannel: "stable",
  telegram: { botUsername: order.botUsername, allowedUserIds: [order.telegramUserId] },
  suspended: [],
  secrets,
})

export type Change =
  | { readonly _tag: "Suspend"; readonly reason: SuspensionReason }
  | { readonly _tag: "Resume"; readonly reason: SuspensionReason }
  /** Final: the agent and all its data go. */
  | { readonly _tag: "Deprovision" }

/** The next state and the lane of its job, or undefined if the change alters nothing. */
export const decide = (
  agent: { readonly generation: number; readonly desired: Desired },
  change: Change,
): { readonly desired: Desired; readonly generation: number; readonly reason: JobReason } | undefined => {
  const { desired } = agent
  const generation = agent.generation + 1
  if (desired.deletion !== undefined) return undefined
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
  }
}

/** Whether the proxy must refuse: a suspended or a leaving agent spends nothing. */
export const isBlocked = (desired: Desired): boolean => desired.suspended.length > 0 || desired.deletion !== undefined
