/**
 * Everything that may be wrong with an agent, in words that its owner can act on. The words are ours: what Kubernetes
 * itself says names images, nodes and limits, and stays in the logs. Pure data.
 */
import type { AgentTrouble } from "@berth/domain/AgentEvents"

/** The sides of an agent's health. `True` is well; an agent that was never unwell on a side has no such condition. */
export type Side = "Scheduled" | "Image" | "Quota" | "Memory" | "Disk" | "BotToken" | "Telegram" | "Data"

export interface Words {
  /** The condition that it makes false; `Ready` when it is no side of its own. */
  readonly condition: Side | "Ready"
  readonly message: string
  /** Whether waiting may help. */
  readonly retriable: boolean
  /** Only its owner can mend it. */
  readonly needsOwner: boolean
}

const ours = { needsOwner: false, retriable: true } as const
const theirs = { needsOwner: true, retriable: true } as const

export const troubles = {
  BotTokenRejected: {
    ...theirs,
    condition: "BotToken",
    message:
      "Telegram rejects your bot's token: it was replaced, or its bot was deleted. Get the current one from BotFather (/token) and send it to us in the chat.",
  },
  TelegramNotConnected: {
    ...ours,
    condition: "Telegram",
    message:
      "Your agent can't get its messages from Telegram. It goes on trying by itself. If another program uses the same bot, stop that program.",
  },
  OutOfMemory: {
    ...theirs,
    condition: "Memory",
    message:
      "Your agent ran out of memory and was started again. If this happens more often, give it smaller tasks at a time, or a larger plan.",
  },
  DiskNearlyFull: {
    ...theirs,
    condition: "Disk",
    message:
      "Your agent's storage is nearly full. Ask it to delete files that it no longer needs; a larger plan has more room.",
  },
  DiskFull: {
    ...theirs,
    condition: "Disk",
    message:
      "Your agent's storage is full, so it can no longer remember anything new. Ask it to delete files that it no longer needs; a larger plan has more room.",
  },
  TemporaryDiskFull: {
    ...theirs,
    condition: "Disk",
    message:
      "Your agent wrote more temporary files than it may and was started again. Nothing that it keeps is lost; give it smaller files at a time.",
  },
  DatabaseRefused: {
    ...ours,
    condition: "Data",
    message: "Your agent can't open its memory. Its data is kept. We are on it; nothing is needed from you.",
  },
  ImagePullFailed: {
    ...ours,
    condition: "Image",
    message: "Your agent's software could not be fetched. We are on it; nothing is needed from you.",
  },
  QuotaTooSmall: {
    ...ours,
    condition: "Quota",
    message: "Your agent does not fit the limits of its plan. We are on it; nothing is needed from you.",
  },
  NoRoom: {
    ...ours,
    condition: "Scheduled",
    message: "There is no room for your agent at the moment. It starts as soon as there is.",
  },
  Crashing: {
    ...ours,
    condition: "Ready",
    message: "Your agent stops right after its start. We are on it; it is tried again by itself.",
  },
  ConfigurationMissing: {
    ...ours,
    condition: "Ready",
    message: "Your agent's configuration is incomplete. We are on it; nothing is needed from you.",
  },
  PodRefused: {
    ...ours,
    condition: "Ready",
    message: "Your agent may not start as it is set up. We are on it; nothing is needed from you.",
  },
  SlowStart: {
    ...ours,
    condition: "Ready",
    message: "Your agent did not start in time. It is still being tried; nothing is needed from you.",
  },
  SecretsMissing: {
    ...ours,
    condition: "Ready",
    message: "Your agent's credentials have to be handed over again. This happens by itself.",
  },
  ExportFailed: {
    ...ours,
    condition: "Ready",
    message:
      "Your agent's data could not be exported yet. It is tried again; nothing is deleted before. Nothing is needed from you.",
  },
  EraseFailed: {
    ...ours,
    condition: "Ready",
    message: "Your agent's data is still being deleted; it takes longer than it should. We are on it.",
  },
  Refused: {
    needsOwner: false,
    retriable: false,
    condition: "Ready",
    message: "A part of your agent could not be set up. We are on it; nothing is needed from you.",
  },
} as const satisfies Record<string, Words>
export type Reason = keyof typeof troubles

/** What the condition of each side says when all is well again. */
export const wellAgain: Readonly<Record<Side, string>> = {
  BotToken: "Telegram accepts your bot's token.",
  Telegram: "Your agent gets its messages from Telegram.",
  Memory: "Your agent has not run out of memory for an hour.",
  Disk: "Your agent's storage has room.",
  Data: "Your agent's memory is open.",
  Image: "Your agent's software is there.",
  Quota: "Your agent fits the limits of its plan.",
  Scheduled: "There is room for your agent.",
}

export const sides = Object.keys(wellAgain) as ReadonlyArray<Side>

export const isReason = (text: string): text is Reason => Object.hasOwn(troubles, text)

/** What ails an agent that runs all the same, as it is reported. */
export const ailmentOf = (reason: Reason): AgentTrouble => {
  const { condition, message, needsOwner } = troubles[reason]
  return { condition, reason, message, needsOwner }
}

/** That it is over. */
export const recoveryOf = (reason: Reason) => {
  const { condition } = troubles[reason]
  return { condition, reason, message: condition === "Ready" ? "Your agent is running." : wellAgain[condition] }
}

/** Why an agent does not run, as it is reported. */
export interface Trouble {
  readonly reason: string
  readonly message: string
  readonly retriable: boolean
}

export const troubleOf = (reason: Reason): Trouble => {
  const { message, retriable } = troubles[reason]
  return { reason, message, retriable }
}

/** What an apply that was refused means to the customer; `by` is the cluster's own word for it. */
export const refusalTrouble = (step: string, by?: string): Trouble =>
  by === "Quota"
    ? troubleOf("QuotaTooSmall")
    : { ...troubleOf("Refused"), message: troubles.Refused.message.replace("your agent", `your agent (${step})`) }

export const recordMissing: Trouble = troubleOf("SecretsMissing")
