/**
 * From what was asked for and what is seen: the Agent's next status and the events to report. Pure. Invariant: the same
 * sight twice reports nothing new. An event's seq is above every earlier one, and at least the time in ms, so that an
 * Agent whose status was lost with its cluster still counts on above what was reported before.
 */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import type { Exported } from "@berth/domain/Exports"
import type { CustomerId } from "@berth/domain/Ids"
import { mayFollow, type Phase, type Step, steps } from "@berth/domain/Lifecycle"
import type { AgentSpec, AgentStatus, Condition } from "./Agent.ts"
import { type Answer, checks, type Findings, type Look, standstill } from "./Checks.ts"
import type { Stored } from "./Manifest.ts"
import { currentPod, deploymentBrief, isRunning, podBrief } from "./Sight.ts"
import {
  ailmentOf,
  isReason,
  type Reason,
  recoveryOf,
  type Side,
  sides,
  type Trouble,
  troubleOf,
  troubles,
  wellAgain,
} from "./Troubles.ts"

export interface Sight {
  readonly customerId: CustomerId
  readonly spec: AgentSpec
  readonly before: AgentStatus
  /** Steps whose objects all stand as meant. */
  readonly placed: ReadonlyArray<Step>
  /** Names of objects that someone had changed and that were put back. */
  readonly repaired: ReadonlyArray<string>
  /** The namespace is on its way out: nothing can be put in place before it is gone. */
  readonly waiting: boolean
  /** Everything but the pod stands; it starts when fewer others do. */
  readonly queued: boolean
  /** What kept the plan from being carried out, if anything did. */
  readonly trouble: Trouble | undefined
  readonly deployment: Stored | undefined
  readonly pods: ReadonlyArray<Stored>
  /** What was found by asking the agent itself, if that was of the pod that runs. */
  readonly findings: Findings | undefined
  /** Someone deletes the Agent without a confirmed deprovision. */
  readonly deletedByHand: boolean
  /** Deprovision is confirmed: data is exported first; `gone` when nothing is left of the agent. */
  readonly deprovision: "no" | "exporting" | "going" | "gone"
  /** What was exported of it, once the store holds that. */
  readonly exported?: Exported
  /** What keeps a deprovision from getting on. */
  readonly hitch?: "ExportFailed" | "EraseFailed"
  /** Whether what `before.reports` holds has arrived for sure. */
  readonly delivered: boolean
  /** The highest seq this process has used for the agent, also in reports that no status holds. */
  readonly usedSeq: number
}

export interface Verdict {
  readonly status: AgentStatus
  /** New ones alone; `status.reports` holds them, after those that may not have arrived. */
  readonly events: ReadonlyArray<AgentEvent>
}

export const initial: AgentStatus = {
  phase: "pending",
  observedGeneration: 0,
  conditions: [],
  steps: [],
  seq: 0,
  reports: [],
}

/** While the stream is away no more than these are kept; what a lost one said, a resync says too. */
const mostReports = 100

const queuedWords = "The agent waits for its turn to start; many others are starting."

type Fact = Omit<Condition, "lastTransitionTime">

const ready = (reason: string, message: string, status: "True" | "False" = "False") =>
  ({ type: "Ready", status, reason, message }) as const

interface Seen {
  readonly phase: Phase
  readonly condition: Fact
  readonly trouble?: Trouble
}

const knowing = (sight: Sight, now: number): Look => {
  const pods = sight.pods.map(podBrief)
  return {
    deployment: sight.deployment === undefined ? undefined : deploymentBrief(sight.deployment),
    pods,
    // What was found of a pod that is gone says nothing of the one that took its place.
    findings: sight.findings?.podUid === currentPod(pods)?.uid ? sight.findings : undefined,
    overQuota: sight.trouble?.reason === ("QuotaTooSmall" satisfies Reason),
    before: (side) => {
      const last = sight.before.conditions.find(({ type }) => type === side)
      return last?.status === "False" && isReason(last.reason) ? last.reason : undefined
    },
    now,
  }
}

/** The phase by what is seen now, before asking whether it may follow. */
const look = (sight: Sight, known: Look): Seen => {
  const { spec, trouble, before } = sight
  // Nobody looked at the agent itself: it goes on as it was.
  if (sight.deletedByHand)
    return {
      phase: before.phase,
      condition:
        before.conditions.find(({ type }) => type === "Ready") ?? ready("Unknown", "The agent was not looked at."),
    }
  if (sight.deprovision === "gone")
    return { phase: "deleted", condition: ready("Deleted", "The agent and all of its data are deleted.") }
  if (sight.hitch !== undefined)
    return { phase: "deprovisioning", condition: ready(sight.hitch, troubles[sight.hitch].message) }
  if (sight.deprovision === "exporting")
    return {
      phase: "deprovisioning",
      condition: ready("Exporting", "The agent is stopped. Its data is exported before any of it is deleted."),
    }
  if (sight.deprovision === "going")
    return { phase: "deprovisioning", condition: ready("Deleting", "The agent and its data are being deleted.") }
  if (trouble !== undefined) return { phase: "failed", condition: ready(trouble.reason, trouble.message), trouble }
  if (spec.suspended.length > 0)
    return known.pods.length === 0
      ? {
          phase: "suspended",
          condition: ready("Suspended", `The agent is stopped (${spec.suspended.join(", ")}); its data is kept.`),
        }
      : { phase: before.phase, condition: ready("Stopping", "The agent finishes its last reply and stops.") }
  if (!sight.waiting && isRunning(known.deployment, known.pods))
    return { phase: "active", condition: ready("Running", "The agent is running.", "True") }
  const reason = standstill(known)
  if (reason !== undefined) {
    const failure = troubleOf(reason)
    return { phase: "failed", condition: ready(failure.reason, failure.message), trouble: failure }
  }
  const phase = before.steps.some(({ step }) => step === "Ready") ? "updating" : "provisioning"
  if (sight.queued) return { phase, condition: ready("StartQueued", queuedWords) }
  return phase === "updating"
    ? { phase, condition: ready("Restarting", "The agent is restarting.") }
    : { phase, condition: ready("Starting", "The agent is being set up.") }
}

/** The condition of one side after a check. What was never wrong has none; what is not known stays as it was. */
const sideFact = (before: ReadonlyArray<Condition>, side: Side, answer: Answer): Fact | undefined => {
  const last = before.find(({ type }) => type === side)
  if (answer === undefined) return last
  if (answer !== "well") return { type: side, status: "False", reason: answer, message: troubles[answer].message }
  return last === undefined ? undefined : { type: side, status: "True", reason: "Well", message: wellAgain[side] }
}

const queueFact = (before: ReadonlyArray<Condition>, queued: boolean): Fact | undefined =>
  queued
    ? { type: "StartQueued", status: "True", reason: "OthersFirst", message: queuedWords }
    : before.some(({ type }) => type === "StartQueued")
      ? { type: "StartQueued", status: "False", reason: "Started", message: "The agent had its turn." }
      : undefined

const exportFact = (before: ReadonlyArray<Condition>, { deprovision, exported, hitch }: Sight): Fact | undefined => {
  if (deprovision === "no") return undefined
  if (exported !== undefined)
    return { type: "Exported", status: "True", reason: "Exported", message: "The agent's data is exported." }
  if (deprovision !== "exporting") return before.find(({ type }) => type === "Exported")
  const message = hitch === undefined ? "The agent's data is being exported." : troubles[hitch].message
  return { type: "Exported", status: "False", reason: hitch ?? "Exporting", message }
}

/** What kept a deprovision from getting on lasts until that is over, also while it is tried again. */
const lastingHitch = ({ before, deprovision, exported, hitch }: Sight): Sight["hitch"] => {
  if (hitch !== undefined) return hitch
  const told = before.troubles ?? []
  if (deprovision === "exporting" && exported === undefined && told.includes("ExportFailed")) return "ExportFailed"
  return deprovision === "going" && told.includes("EraseFailed") ? "EraseFailed" : undefined
}

/** Of an agent that is deleted nothing is wrong but what keeps it from being deleted. */
const troublesOfLeaving = ({ before, hitch }: Sight) => {
  const heard = hitch === undefined ? [] : [hitch]
  return { heard, fresh: heard.filter((reason) => before.troubles?.includes(reason) !== true), over: [] }
}

/** Only an agent that runs can be in trouble and run all the same; of any other the phase says what is wrong. */
const isUp = (phase: Phase): boolean => phase === "active" || phase === "updating"

/** What is wrong now, what its owner has to hear of it, and what of what was heard is over. */
const troublesNow = (before: AgentStatus, phase: Phase, facts: ReadonlyArray<Fact>) => {
  const told = (before.troubles ?? []).filter(isReason)
  const wrong = facts.flatMap(({ status, reason, type }) =>
    isUp(phase) && type !== "Ready" && status === "False" && isReason(reason) ? [reason] : [],
  )
  // While the agent restarts nothing new is told: what ails it then is told if it is still so afterwards.
  const heard = phase === "active" ? wrong : wrong.filter((reason) => told.includes(reason))
  return {
    heard,
    fresh: heard.filter((reason) => !told.includes(reason)),
    // A side that is wrong in another way by now has not recovered.
    over: isUp(phase)
      ? told.filter((reason) => !wrong.some((one) => troubles[one].condition === troubles[reason].condition))
      : [],
  }
}

/** A first look may find an agent further on than the last report; then it went through provisioning unseen. */
const follow = (from: Phase, to: Phase): Phase =>
  mayFollow(from, to) || (mayFollow(from, "provisioning") && mayFollow("provisioning", to)) ? to : from

/** A job that no longer wants the deletion arrived while it was under way, or after: what is made now is told as new. */
const startOver = (before: AgentStatus): AgentStatus => ({ ...initial, seq: before.seq, reports: before.reports })

const withTime = (before: ReadonlyArray<Condition>, condition: Fact, at: string): Condition => {
  const last = before.find(({ type }) => type === condition.type)
  return { ...condition, lastTransitionTime: last?.status === condition.status ? last.lastTransitionTime : at }
}

const blocked = (before: ReadonlyArray<Condition>, deletedByHand: boolean): Fact | undefined =>
  deletedByHand
    ? {
        type: "DeletionBlocked",
        status: "True",
        reason: "NotConfirmed",
        message: "The Agent was deleted by hand. Nothing of the customer's is deleted without a deprovision job.",
      }
    : before.some(({ type }) => type === "DeletionBlocked")
      ? {
          type: "DeletionBlocked",
          status: "False",
          reason: "WrittenAgain",
          message: "The Agent was deleted by hand and has been written again.",
        }
      : undefined

/** `now` in epoch ms, `iso` the same instant as text. */
export const decide = (seen: Sight, now: number, iso: string): Verdict => {
  const hitch = lastingHitch(seen)
  return conclusion({ ...seen, ...(hitch === undefined ? {} : { hitch }) }, now, iso)
}

const conclusion = (sight: Sight, now: number, iso: string): Verdict => {
  const { spec, customerId } = sight
  const isWantedAgain =
    sight.deprovision === "no" && (sight.before.phase === "deprovisioning" || sight.before.phase === "deleted")
  const before = isWantedAgain ? startOver(sight.before) : sight.before
  const known = knowing({ ...sight, before }, now)
  const seen = look({ ...sight, before }, known)
  const phase = follow(before.phase, seen.phase)
  const applied = sight.trouble === undefined && !sight.deletedByHand && !sight.waiting && !sight.queued
  const generation = applied ? spec.generation : before.observedGeneration
  const placed = phase === "active" ? [...sight.placed, "Ready" as const] : sight.placed
  const fresh = steps.filter((step) => placed.includes(step) && !before.steps.some((one) => one.step === step))

  const renewed = spec.generation > before.observedGeneration
  const turned = phase !== before.phase || (renewed && applied)
  const facts = [
    seen.condition,
    queueFact(before.conditions, sight.queued),
    ...sides.map((side) => sideFact(before.conditions, side, sight.deletedByHand ? undefined : checks[side](known))),
    exportFact(before.conditions, sight),
    blocked(before.conditions, sight.deletedByHand),
  ].filter((fact) => fact !== undefined)
  const wasBlocked = before.conditions.some(({ type, status }) => type === "DeletionBlocked" && status === "True")
  const lastReady = before.conditions.find(({ type }) => type === "Ready")
  const wasExported = before.conditions.some(({ type, status }) => type === "Exported" && status === "True")
  const wrong = sight.deletedByHand
    ? { fresh: [], over: [], heard: before.troubles ?? [] }
    : sight.deprovision === "no"
      ? troublesNow(before, phase, facts)
      : troublesOfLeaving(sight)

  let seq = Math.max(before.seq, sight.usedSeq)
  const common = () => ({ customerId, generation: spec.generation, seq: (seq = Math.max(seq + 1, now)), at: now })
  const events: Array<AgentEvent> = fresh.map((step) => ({ _tag: "step", ...common(), step }))
  for (const what of sight.repaired) events.push({ _tag: "driftRepaired", ...common(), what })
  if (sight.deletedByHand && !wasBlocked) events.push({ _tag: "deletionBlocked", ...common() })
  // An agent that is being stopped keeps its phase until its pod is gone; that is no news of it being active.
  if (phase === "active" && turned && spec.suspended.length === 0) events.push({ _tag: "active", ...common() })
  if (phase === "suspended" && turned) events.push({ _tag: "suspended", ...common() })
  if (phase === "deprovisioning" && turned) events.push({ _tag: "deprovisioning", ...common() })
  const exported = sight.exported === undefined ? {} : { exported: sight.exported }
  if (sight.exported !== undefined && !wasExported)
    events.push({ _tag: "exported", ...common(), exported: sight.exported })
  if (phase === "deleted" && turned) events.push({ _tag: "deleted", ...common(), ...exported })
  if (phase === "failed" && seen.trouble !== undefined && (turned || lastReady?.reason !== seen.trouble.reason))
    events.push({ _tag: "failed", ...common(), ...seen.trouble })
  for (const reason of wrong.over) events.push({ _tag: "recovered", ...common(), ...recoveryOf(reason) })
  for (const reason of wrong.fresh) events.push({ _tag: "troubled", ...common(), ...ailmentOf(reason) })

  return {
    events,
    status: {
      phase,
      observedGeneration: generation,
      conditions: facts.map((fact) => withTime(before.conditions, fact, iso)),
      ...(wrong.heard.length === 0 ? {} : { troubles: wrong.heard }),
      steps: [...before.steps, ...fresh.map((step) => ({ step, at: iso }))],
      seq: events.length === 0 ? before.seq : seq,
      reports:
        events.length === 0
          ? before.reports
          : [...(sight.delivered ? [] : before.reports), ...events].slice(-mostReports),
    },
  }
}
