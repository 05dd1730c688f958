/**
 * From what was asked for and what is seen: the Agent's next status and the events to report. Pure. Invariant: the same
 * sight twice reports nothing new. An event's seq is above every earlier one, and at least the time in ms, so that an
 * Agent whose status was lost with its cluster still counts on above what was reported before.
 */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import type { CustomerId } from "@berth/domain/Ids"
import { mayFollow, type Phase, type Step, steps } from "@berth/domain/Lifecycle"
import type { AgentSpec, AgentStatus, Condition } from "./Agent.ts"
import type { Stored } from "./Manifest.ts"
import { podFailure, podReady, type Trouble } from "./Sight.ts"

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
  /** What kept the plan from being carried out, if anything did. */
  readonly trouble: Trouble | undefined
  readonly deployment: Stored | undefined
  readonly pods: ReadonlyArray<Stored>
  /** Someone deletes the Agent without a confirmed deprovision. */
  readonly deletedByHand: boolean
  /** Deprovision is confirmed; `gone` when nothing is left of the agent. */
  readonly deprovision: "no" | "going" | "gone"
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

const ready = (reason: string, message: string, status: "True" | "False" = "False") =>
  ({ type: "Ready", status, reason, message }) as const

interface Seen {
  readonly phase: Phase
  readonly condition: Omit<Condition, "lastTransitionTime">
  readonly trouble?: Trouble
}

/** The phase by what is seen now, before asking whether it may follow. */
const look = (sight: Sight): Seen => {
  const { spec, trouble, deployment, pods, before } = sight
  // Nobody looked at the agent itself: it goes on as it was.
  if (sight.deletedByHand)
    return {
      phase: before.phase,
      condition:
        before.conditions.find(({ type }) => type === "Ready") ?? ready("Unknown", "The agent was not looked at."),
    }
  if (sight.deprovision === "gone")
    return { phase: "deleted", condition: ready("Deleted", "The agent and all of its data are deleted.") }
  if (sight.deprovision === "going")
    return { phase: "deprovisioning", condition: ready("Deleting", "The agent and its data are being deleted.") }
  if (trouble !== undefined) return { phase: "failed", condition: ready(trouble.reason, trouble.message), trouble }
  if (spec.suspended.length > 0)
    return pods.length === 0
      ? {
          phase: "suspended",
          condition: ready("Suspended", `The agent is stopped (${spec.suspended.join(", ")}); its data is kept.`),
        }
      : { phase: before.phase, condition: ready("Stopping", "The agent finishes its last reply and stops.") }
  if (!sight.waiting && podReady(deployment, pods))
    return { phase: "active", condition: ready("Running", "The agent is running.", "True") }
  const failure = podFailure(deployment, pods)
  if (failure !== undefined)
    return { phase: "failed", condition: ready(failure.reason, failure.message), trouble: failure }
  return before.steps.some(({ step }) => step === "Ready")
    ? { phase: "updating", condition: ready("Restarting", "The agent is restarting.") }
    : { phase: "provisioning", condition: ready("Starting", "The agent is being set up.") }
}

/** A first look may find an agent further on than the last report; then it went through provisioning unseen. */
const follow = (from: Phase, to: Phase): Phase =>
  mayFollow(from, to) || (mayFollow(from, "provisioning") && mayFollow("provisioning", to)) ? to : from

/** A job that no longer wants the deletion arrived while it was under way: what is made now is a new agent. */
const startOver = (before: AgentStatus): AgentStatus => ({ ...initial, seq: before.seq, reports: before.reports })

const withTime = (
  before: ReadonlyArray<Condition>,
  condition: Omit<Condition, "lastTransitionTime">,
  at: string,
): Condition => {
  const last = before.find(({ type }) => type === condition.type)
  return { ...condition, lastTransitionTime: last?.status === condition.status ? last.lastTransitionTime : at }
}

const blocked = (
  before: ReadonlyArray<Condition>,
  deletedByHand: boolean,
): Omit<Condition, "lastTransitionTime"> | undefined =>
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
export const decide = (sight: Sight, now: number, iso: string): Verdict => {
  const { spec, customerId } = sight
  const before =
    sight.deprovision === "no" && sight.before.phase === "deprovisioning" ? startOver(sight.before) : sight.before
  const seen = look({ ...sight, before })
  const phase = follow(before.phase, seen.phase)
  const applied = sight.trouble === undefined && !sight.deletedByHand && !sight.waiting
  const generation = applied ? spec.generation : before.observedGeneration
  const placed = phase === "active" ? [...sight.placed, "Ready" as const] : sight.placed
  const fresh = steps.filter((step) => placed.includes(step) && !before.steps.some((one) => one.step === step))

  const renewed = spec.generation > before.observedGeneration
  const turned = phase !== before.phase || (renewed && applied)
  const block = blocked(before.conditions, sight.deletedByHand)
  const wasBlocked = before.conditions.some(({ type, status }) => type === "DeletionBlocked" && status === "True")
  const lastReady = before.conditions.find(({ type }) => type === "Ready")

  let seq = Math.max(before.seq, sight.usedSeq)
  const common = () => ({ customerId, generation: spec.generation, seq: (seq = Math.max(seq + 1, now)), at: now })
  const events: Array<AgentEvent> = fresh.map((step) => ({ _tag: "step", ...common(), step }))
  for (const what of sight.repaired) events.push({ _tag: "driftRepaired", ...common(), what })
  if (sight.deletedByHand && !wasBlocked) events.push({ _tag: "deletionBlocked", ...common() })
  // An agent that is being stopped keeps its phase until its pod is gone; that is no news of it being active.
  if (phase === "active" && turned && spec.suspended.length === 0) events.push({ _tag: "active", ...common() })
  if (phase === "suspended" && turned) events.push({ _tag: "suspended", ...common() })
  if (phase === "deleted" && turned) events.push({ _tag: "deleted", ...common() })
  if (phase === "failed" && seen.trouble !== undefined && (turned || lastReady?.reason !== seen.trouble.reason))
    events.push({ _tag: "failed", ...common(), ...seen.trouble })

  return {
    events,
    status: {
      phase,
      observedGeneration: generation,
      conditions: [seen.condition, ...(block === undefined ? [] : [block])].map((one) =>
        withTime(before.conditions, one, iso),
      ),
      steps: [...before.steps, ...fresh.map((step) => ({ step, at: iso }))],
      seq: events.length === 0 ? before.seq : seq,
      reports:
        events.length === 0
          ? before.reports
          : [...(sight.delivered ? [] : before.reports), ...events].slice(-mostReports),
    },
  }
}
