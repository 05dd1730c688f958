/**
 * What the operator reports on `agent:events`: idempotent by (generation, seq), so a replay changes nothing.
 * On an unreachable store the operator goes on reconciling and reports again at the next resync.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { StoreUnavailable } from "./Errors.ts"
import { CustomerId } from "./Ids.ts"
import { Phase, Step } from "./Lifecycle.ts"

const common = {
  customerId: CustomerId,
  generation: Schema.Int,
  /** Counts what was reported of this agent; a consumer ignores what is not newer than what it holds. */
  seq: Schema.Int,
  /** Epoch ms. */
  at: Schema.Int,
}

export const AgentEvent = Schema.Union([
  /** One object of the plan is in place. */
  Schema.TaggedStruct("step", { ...common, step: Step }),
  Schema.TaggedStruct("active", common),
  Schema.TaggedStruct("suspended", common),
  Schema.TaggedStruct("failed", {
    ...common,
    reason: Schema.String,
    message: Schema.String,
    retriable: Schema.Boolean,
  }),
  Schema.TaggedStruct("deleted", common),
  /** Something in the cluster differed from the desired state and was put back. */
  Schema.TaggedStruct("driftRepaired", { ...common, what: Schema.String }),
  /** An Agent was deleted by hand; it goes on running and is written again. Ops look. */
  Schema.TaggedStruct("deletionBlocked", common),
  /** The state of one Agent, reported at each resync. */
  Schema.TaggedStruct("resync", { ...common, phase: Phase }),
])
export type AgentEvent = typeof AgentEvent.Type
export const AgentEventJson = Schema.fromJsonString(AgentEvent)

/** An event with its place in the stream, to be acknowledged once its effect is committed. */
export interface Delivered {
  readonly id: string
  readonly event: AgentEvent
}

export class AgentEvents extends Context.Service<
  AgentEvents,
  {
    append(event: AgentEvent): Effect.Effect<void, StoreUnavailable>
    /** Up to `max` events not yet acknowledged, oldest first; waits up to a second when there is none. An event taken and not acknowledged within `reclaimAfter` (30 s) is delivered again. */
    take(max: number): Effect.Effect<ReadonlyArray<Delivered>, StoreUnavailable>
    acknowledge(ids: ReadonlyArray<string>): Effect.Effect<void, StoreUnavailable>
  }
>()("@berth/domain/AgentEvents") {}
