/**
 * What one event of the operator changes. Pure. An event that is not newer than what was reported changes no phase, so a
 * replay changes nothing; what a customer is told has a source id besides, so it is told once per generation. The operator's
 * word on a phase is taken even if the table knows no such step: then events were lost, and a report is all there is.
 */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import type { Desired } from "@berth/domain/Jobs"
import type { OrderId } from "@berth/domain/Ids"
import { mayFollow, type Phase, type Step } from "@berth/domain/Lifecycle"
import type { NewCustomerEvent } from "../notify/CustomerEvents.ts"
import { liveWords } from "../notify/LiveWords.ts"

export interface Failure {
  readonly reason: string
  readonly message: string
  readonly retriable: boolean
}

export interface AgentState {
  readonly orderId: OrderId
  readonly generation: number
  readonly desired: Desired
  readonly phase: Phase
  readonly reportedGeneration: number
  readonly reportedSeq: number
  /** Epoch ms by the operator's clock. */
  readonly reportedAt: number
  readonly steps: ReadonlyArray<{ readonly step: Step; readonly at: number }>
  readonly failure: Failure | null
}

export interface Report {
  /** The fields as they are after the event, or undefined if it is not newer. */
  readonly next:
    | Pick<AgentState, "phase" | "reportedGeneration" | "reportedSeq" | "reportedAt" | "steps" | "failure">
    | undefined
  /** Events before this one never arrived. */
  readonly skipped: boolean
  /** Job rows up to this generation are fulfilled. */
  readonly close: number
  /** The operator has an older state than was asked for. */
  readonly again: boolean
  readonly tell: { readonly sourceId: string; readonly event: NewCustomerEvent } | undefined
  /** The agent is up, perhaps for the first time. */
  readonly live: boolean
}

const phaseOf = (event: AgentEvent, current: Phase): Phase => {
  switch (event._tag) {
    case "active":
    case "suspended":
    case "failed":
    case "deleted":
      return event._tag
    case "resync":
      return event.phase
    case "step":
      return current === "active" || current === "updating" ? "updating" : "provisioning"
    case "driftRepaired":
    case "deletionBlocked":
      return current
  }
}

/**
 * Later by generation, then by count. An operator that lost its cluster counts from the start again: then its clock tells.
 */
const isNewer = (agent: AgentState, event: AgentEvent): boolean =>
  event.generation > agent.reportedGeneration ||
  (event.generation === agent.reportedGeneration && (event.seq > agent.reportedSeq || event.at > agent.reportedAt))

const tellOf = (agent: AgentState, event: AgentEvent): Report["tell"] => {
  const source = (what: string) => `agent:${event.customerId}:${event.generation}:${what}`
  const phase = event._tag === "resync" ? event.phase : event._tag
  switch (phase) {
    case "active": {
      const { botUsername } = agent.desired.telegram
      const text = liveWords(botUsername)
      return { sourceId: source("active"), event: { _tag: "active", botUsername, text } }
    }
    case "suspended":
      return { sourceId: source("suspended"), event: { _tag: "suspended", reasons: agent.desired.suspended } }
    case "deleted":
      return { sourceId: source("deleted"), event: { _tag: "deleted" } }
    default:
      if (event._tag === "step")
        return { sourceId: source(`step:${event.step}`), event: { _tag: "step", step: event.step } }
      if (event._tag === "failed") {
        const { reason, message, retriable } = event
        const sourceId = source(`failed:${event.seq}:${event.at}`)
        return { sourceId, event: { _tag: "failed", reason, message, retriable } }
      }
      return undefined
  }
}

const stepsAfter = (agent: AgentState, event: AgentEvent): AgentState["steps"] => {
  const steps = event.generation > agent.reportedGeneration ? [] : agent.steps
  return event._tag === "step"
    ? [...steps.filter((one) => one.step !== event.step), { step: event.step, at: event.at }]
    : event._tag === "resync"
      ? agent.steps
      : steps
}

export const decide = (agent: AgentState, event: AgentEvent): Report => {
  const newer = isNewer(agent, event)
  const phase = phaseOf(event, agent.phase)
  const failure =
    event._tag === "failed"
      ? { reason: event.reason, message: event.message, retriable: event.retriable }
      : phase === "failed"
        ? agent.failure
        : null
  return {
    next: newer
      ? {
          phase,
          reportedGeneration: event.generation,
          reportedSeq: event.generation > agent.reportedGeneration ? event.seq : Math.max(event.seq, agent.reportedSeq),
          reportedAt: Math.max(event.at, agent.reportedAt),
          steps: stepsAfter(agent, event),
          failure,
        }
      : undefined,
    skipped: newer && !mayFollow(agent.phase, phase),
    close: event.generation,
    again: event._tag === "resync" && event.generation < agent.generation,
    tell: newer ? tellOf(agent, event) : undefined,
    live: newer && phase === "active" && event._tag !== "driftRepaired" && event._tag !== "deletionBlocked",
  }
}
