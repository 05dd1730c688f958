/**
 * Writes an agent's status and reports what is new about it. Invariant: the status with the events in it is written
 * first, so that what a crash keeps from the stream is sent by the next pass.
 */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { type AgentStatus, statusJson } from "./Agent.ts"
import { canonical } from "./Manifest.ts"
import { decide, type Sight } from "./Status.ts"
import type { InHand, Tools } from "./Tools.ts"
import { ailmentOf, isReason } from "./Troubles.ts"

/** What is known without looking at the agent's own objects. */
export const noSight = (tools: Tools, { customerId, spec, before }: InHand): Sight => ({
  customerId,
  spec,
  before,
  placed: [],
  repaired: [],
  waiting: false,
  queued: false,
  trouble: undefined,
  deployment: undefined,
  pods: [],
  findings: tools.health.findings(customerId),
  deletedByHand: false,
  deprovision: "no",
  delivered: (tools.delivered.get(customerId) ?? -1) >= before.seq,
  usedSeq: tools.delivered.get(customerId) ?? 0,
})

/** Writes the status if it says anything new, then reports what has not arrived yet. */
export const conclude = Effect.fnUntraced(function* (tools: Tools, agent: InHand, sight: Sight) {
  const now = yield* Clock.currentTimeMillis
  const { status, events } = decide(sight, now, DateTime.formatIso(DateTime.makeUnsafe(now)))
  if (canonical(statusJson(status)) !== canonical(agent.stored.status)) {
    // Another operator may have reported this meanwhile: then this pass fails, and the next one sees that.
    const written = yield* tools.cluster.patchStatus(agent.customerId, statusJson(status), agent.place.version)
    agent.place.version = written.metadata.resourceVersion
    agent.place.written = written
    tools.observed.note(written)
    for (const event of events) tools.witness(agent, event)
  }
  const arrived = tools.delivered.get(agent.customerId) ?? -1
  yield* Effect.forEach(
    status.reports.filter(({ seq }) => seq > arrived),
    (event) => send(tools, event),
    { discard: true },
  )
  return status
})

/** Appends an event to the stream; from then on it counts as arrived. */
export const send = Effect.fnUntraced(function* (tools: Tools, event: AgentEvent) {
  yield* tools.events.append(event)
  tools.delivered.set(event.customerId, event.seq)
})

/**
 * Tells phase and generation although nothing is new. An agent that runs, but not yet as this generation asks, is told as
 * being updated: whoever waits for the new pod, as the end of a rotated token does, must not take the old one for it.
 */
export const tellAll = Effect.fnUntraced(function* (
  tools: Tools,
  { customerId, spec }: InHand,
  { observedGeneration, phase, seq, troubles = [] }: AgentStatus,
) {
  const now = yield* Clock.currentTimeMillis
  yield* send(tools, {
    _tag: "resync",
    customerId,
    generation: spec.generation,
    seq: Math.max(seq + 1, (tools.delivered.get(customerId) ?? 0) + 1, now),
    at: now,
    phase: phase === "active" && observedGeneration < spec.generation ? "updating" : phase,
    troubles: troubles.filter(isReason).map(ailmentOf),
  })
})
