/**
 * What one event of the operator changes. Pure. An event that is not newer than what was reported changes no phase, so a
 * replay changes nothing; what a customer is told has a source id besides, so it is told once per generation. The operator's
 * word on a phase is taken even if the table knows no such step: then events were lost, and a report is all there is.
 */
import type { AgentEvent, AgentTrouble } from "@berth/domain/AgentEvents"
import type { Exported } from "@berth/domain/Exports"
import type { Desired } from "@berth/domain/Jobs"
import type { OrderId } from "@berth/domain/Ids"
import { mayFollow, type Phase, type Step } from "@berth/domain/Lifecycle"
import { expiryOf } from "../exports/Exports.ts"
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
  /** What is wrong although it runs, at most one on each side; `since` is epoch ms. */
  readonly troubles: ReadonlyArray<AgentTrouble & { readonly since: number }>
}

interface Told {
  readonly sourceId: string
  readonly event: NewCustomerEvent
}

export interface Report {
  /** The fields as they are after the event, or undefined if it is not newer. */
  readonly next:
    | Pick<AgentState, "phase" | "reportedGeneration" | "reportedSeq" | "reportedAt" | "steps" | "failure" | "troubles">
    | undefined
  /** Events before this one never arrived. */
  readonly skipped: boolean
  /** Job rows up to this generation are fulfilled. */
  readonly close: number
  /** The operator has an older state than was asked for. */
  readonly again: boolean
  readonly tell: ReadonlyArray<Told>
  /** Troubles that are new and that only the owner can mend. */
  readonly call: ReadonlyArray<AgentTrouble>
  /** The agent is as was last asked for: it runs so, or it is not to run. What was in use before is not any more. */
  readonly settled: boolean
  /** The agent is up, perhaps for the first time. */
  readonly live: boolean
  /** Its data stands in the store. */
  readonly exported: Exported | undefined
}

const phaseOf = (event: AgentEvent, current: Phase): Phase => {
  switch (event._tag) {
    case "active":
    case "suspended":
    case "failed":
    case "deprovisioning":
    case "deleted":
      return event._tag
    case "resync":
      return event.phase
    case "step":
      return current === "active" || current === "updating" ? "updating" : "provisioning"
    case "troubled":
    case "recovered":
    case "exported":
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

const tellOf = (agent: AgentState, event: AgentEvent): Told | undefined => {
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
    case "deprovisioning":
      return { sourceId: source("deprovisioning"), event: { _tag: "deprovisioning" } }
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

const exportedBy = (event: AgentEvent): Exported | undefined =>
  event._tag === "exported" || event._tag === "deleted" ? event.exported : undefined

/** Told also by an event that is not newer: it may be the first that arrives of it. */
const tellOfExport = (event: AgentEvent): ReadonlyArray<Told> => {
  const exported = exportedBy(event)
  if (exported === undefined) return []
  const { size } = exported
  return [
    {
      sourceId: `agent:${event.customerId}:${event.generation}:exported`,
      event: { _tag: "exported", size, expiresAt: expiryOf(event.at) },
    },
  ]
}

const stepsAfter = (agent: AgentState, event: AgentEvent): AgentState["steps"] => {
  const steps = event.generation > agent.reportedGeneration ? [] : agent.steps
  return event._tag === "step"
    ? [...steps.filter((one) => one.step !== event.step), { step: event.step, at: event.at }]
    : event._tag === "resync"
      ? agent.steps
      : steps
}

/** Only an agent that runs is in trouble; of any other the phase says what is wrong. A resync tells what got lost. */
const troublesAfter = (agent: AgentState, event: AgentEvent, phase: Phase): AgentState["troubles"] => {
  if (phase !== "active" && phase !== "updating" && phase !== "deprovisioning") return []
  // Of what ailed it while it ran nothing matters any more once it is leaving.
  const known = phase === agent.phase || phase !== "deprovisioning" ? agent.troubles : []
  const others = (condition: string) => known.filter((one) => one.condition !== condition)
  switch (event._tag) {
    case "troubled": {
      const { condition, reason, message, needsOwner, at: since } = event
      return [...others(condition), { condition, reason, message, needsOwner, since }]
    }
    case "recovered":
      return others(event.condition)
    case "resync":
      return (
        event.troubles?.map((trouble) => {
          const before = known.find(({ reason }) => reason === trouble.reason)
          return { ...trouble, since: before?.since ?? event.at }
        }) ?? known
      )
    default:
      return known
  }
}

/** What is told of troubles that came and went. */
const newsOf = (agent: AgentState, event: AgentEvent, after: AgentState["troubles"], phase: Phase) => {
  const fresh = after.filter(({ reason }) => !agent.troubles.some((one) => one.reason === reason))
  const over = agent.troubles.filter(({ condition }) => !after.some((one) => one.condition === condition))
  const source = (what: string, reason: string) =>
    `agent:${event.customerId}:${event.generation}:${what}:${reason}:${event.seq}:${event.at}`
  const words = event._tag === "recovered" ? event.message : "Your agent is well again."
  // Of an agent that stops, its phase is news enough.
  const recovered = phase === "active" || phase === "updating" ? over : []
  return {
    fresh,
    tell: [
      ...recovered.map(({ reason }) => ({
        sourceId: source("recovered", reason),
        event: { _tag: "recovered", reason, message: words } as const,
      })),
      ...fresh.map(({ reason, message, needsOwner }) => ({
        sourceId: source("troubled", reason),
        event: { _tag: "troubled", reason, message, needsOwner } as const,
      })),
    ] satisfies ReadonlyArray<Told>,
  }
}

/** An event that says nothing of the agent's being up. */
const aside: ReadonlyArray<AgentEvent["_tag"]> = [
  "driftRepaired",
  "deletionBlocked",
  "troubled",
  "recovered",
  "exported",
]

export const decide = (agent: AgentState, event: AgentEvent): Report => {
  const newer = isNewer(agent, event)
  const phase = phaseOf(event, agent.phase)
  const failure =
    event._tag === "failed"
      ? { reason: event.reason, message: event.message, retriable: event.retriable }
      : phase === "failed"
        ? agent.failure
        : null
  const troubles = troublesAfter(agent, event, phase)
  const news = newsOf(agent, event, troubles, phase)
  const told = tellOf(agent, event)
  return {
    next: newer
      ? {
          phase,
          reportedGeneration: event.generation,
          reportedSeq: event.generation > agent.reportedGeneration ? event.seq : Math.max(event.seq, agent.reportedSeq),
          reportedAt: Math.max(event.at, agent.reportedAt),
          steps: stepsAfter(agent, event),
          failure,
          troubles,
        }
      : undefined,
    skipped: newer && !mayFollow(agent.phase, phase),
    close: event.generation,
    again: event._tag === "resync" && event.generation < agent.generation,
    tell: [...tellOfExport(event), ...(newer ? [...(told === undefined ? [] : [told]), ...news.tell] : [])],
    call: newer ? news.fresh.filter(({ needsOwner }) => needsOwner) : [],
    exported: exportedBy(event),
    settled:
      event.generation === agent.generation &&
      (event._tag === "resync"
        ? event.phase === "active" || event.phase === "suspended"
        : event._tag === "active" || event._tag === "suspended"),
    live: newer && phase === "active" && !aside.includes(event._tag),
  }
}
