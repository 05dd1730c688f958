/**
 * What the operator reports on `agent:events`: idempotent by (generation, seq), so a replay changes nothing.
 * On an unreachable store the operator goes on reconciling and reports again at the next resync.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { StoreUnavailable } from "./Errors.ts"
import { Exported } from "./Exports.ts"
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

/** Something is wrong with an agent that runs all the same. */
export const AgentTrouble = Schema.Struct({
  /** The side of its health that it is on; an agent has at most one trouble on each. */
  condition: Schema.String,
  /** In one word. */
  reason: Schema.String,
  /** In words that its owner can act on. */
  message: Schema.String,
  /** Whether its owner alone can mend it. */
  needsOwner: Schema.Boolean,
})
export type AgentTrouble = typeof AgentTrouble.Type

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
  /** An agent that runs is in trouble, or in another on that side than before. */
  Schema.TaggedStruct("troubled", { ...common, ...AgentTrouble.fields }),
  /** That trouble is over; `message` says what is well again. */
  Schema.TaggedStruct("recovered", {
    ...common,
    condition: Schema.String,
    reason: Schema.String,
    message: Schema.String,
  }),
  /** A confirmed deletion has begun: the agent stops, and its data is exported before any of it is deleted. */
  Schema.TaggedStruct("deprovisioning", common),
  /** The data stands in the export store, and its deletion may begin. */
  Schema.TaggedStruct("exported", { ...common, exported: Exported }),
  /** Nothing is left of the agent in the cluster. It tells of the export once more, in case that word was lost. */
  Schema.TaggedStruct("deleted", { ...common, exported: Schema.optionalKey(Exported) }),
  /** Something in the cluster differed from the desired state and was put back. */
  Schema.TaggedStruct("driftRepaired", { ...common, what: Schema.String }),
  /** An Agent was deleted by hand; it goes on running and is written again. Ops look. */
  Schema.TaggedStruct("deletionBlocked", common),
  /** The state of one Agent, reported at each resync, with all of its troubles. */
  Schema.TaggedStruct("resync", { ...common, phase: Phase, troubles: Schema.optionalKey(Schema.Array(AgentTrouble)) }),
])
export type AgentEvent = typeof AgentEvent.Type
export const AgentEventJson = Schema.fromJsonString(AgentEvent)

/** An event with its place in the stream, to be acknowledged once its effect is committed. */
export interface Delivered {
  readonly id: string
  readonly event: AgentEvent
}

/** How long a consumer may take to commit what it took. */
export const reclaimMillis = 30_000

export class AgentEvents extends Context.Service<
  AgentEvents,
  {
    append(event: AgentEvent): Effect.Effect<void, StoreUnavailable>
    /**
     * Up to `max` events not yet acknowledged, oldest first; waits up to a second when there is none. An event taken and
     * not acknowledged within `reclaimMillis` is delivered again.
     */
    take(max: number): Effect.Effect<ReadonlyArray<Delivered>, StoreUnavailable>
    acknowledge(ids: ReadonlyArray<string>): Effect.Effect<void, StoreUnavailable>
  }
>()("@berth/domain/AgentEvents") {
  /** Lost with the process, as the stream is with Redis: the next resync reports every agent again. */
  static readonly layerMemory: Layer.Layer<AgentEvents> = Layer.effect(
    AgentEvents,
    Effect.gen(function* () {
      const arrivals = yield* Latch.make()
      const entries = new Map<string, { readonly event: AgentEvent; takenAt: number | undefined }>()
      let next = 1
      const deliver = (max: number, now: number): ReadonlyArray<Delivered> => {
        const delivered: Array<Delivered> = []
        for (const [id, entry] of entries) {
          if (delivered.length === max) break
          if (entry.takenAt !== undefined && now < entry.takenAt + reclaimMillis) continue
          entry.takenAt = now
          delivered.push({ id, event: entry.event })
        }
        return delivered
      }
      return AgentEvents.of({
        append: Effect.fn("AgentEvents.append")(function* (event) {
          entries.set(`${next++}-0`, { event, takenAt: undefined })
          yield* arrivals.release
        }),
        take: Effect.fn("AgentEvents.take")(function* (max) {
          const delivered = deliver(max, yield* Clock.currentTimeMillis)
          if (delivered.length > 0) return delivered
          yield* Effect.timeoutOption(arrivals.await, "1 second")
          return deliver(max, yield* Clock.currentTimeMillis)
        }),
        acknowledge: Effect.fn("AgentEvents.acknowledge")(function* (ids) {
          for (const id of ids) entries.delete(id)
        }),
      })
    }),
  )
}
