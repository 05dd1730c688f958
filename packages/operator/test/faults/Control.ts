/**
 * Plays control to an operator: pushes jobs, takes in what is reported as control does (only what is newer), and, if told
 * so, pushes again what nothing reported of a job's generation has answered. Control waits a minute for that.
 */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import { AgentEvents } from "@berth/domain/AgentEvents"
import type { CustomerId } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import type { Phase } from "@berth/domain/Lifecycle"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { jobText } from "../World.ts"

export interface Heard {
  /** Events that were newer than all before, in order; no resyncs. */
  readonly events: ReadonlyArray<AgentEvent>
  /** As control's page would show it. */
  readonly phase: Phase | undefined
  /** The newest generation that was reported. */
  readonly generation: number
}

interface Known {
  events: Array<AgentEvent>
  phase: Phase | undefined
  generation: number
  seq: number
}

/** Instead of control's minute. */
const repushMillis = 5_000

const phaseOf = (event: AgentEvent): Phase | undefined =>
  event._tag === "resync"
    ? event.phase
    : event._tag === "active" || event._tag === "suspended" || event._tag === "failed"
      ? event._tag
      : undefined

export class Control extends Context.Service<
  Control,
  {
    /** Pushes a job, and remembers it as control's outbox would. */
    readonly order: (options: NonNullable<Parameters<typeof jobText>[0]>) => Effect.Effect<void, unknown>
    readonly heard: (customerId: CustomerId) => Effect.Effect<Heard>
    /** Pushes once more what was ordered last, reported or not, as for an agent that a resync does not tell of. */
    readonly orderAgain: (customerId: CustomerId) => Effect.Effect<void, unknown>
    /** Whether rows that nothing answers are pushed again. */
    readonly relays: (on: boolean) => Effect.Effect<void>
  }
>()("@berth/operator/test/faults/Control") {
  /** Needs JobQueue, AgentEvents and Sealer. */
  static readonly layer = Layer.effect(
    Control,
    Effect.gen(function* () {
      const events = yield* AgentEvents
      const queue = yield* JobQueue
      const context = yield* Effect.context<Effect.Services<ReturnType<typeof jobText>>>()
      const known = new Map<CustomerId, Known>()
      const rows = new Map<CustomerId, { readonly text: string; readonly generation: number; pushedAt: number }>()
      let relaying = false

      const of = (customerId: CustomerId): Known => {
        const one = known.get(customerId) ?? { events: [], phase: undefined, generation: 0, seq: 0 }
        known.set(customerId, one)
        return one
      }
      const note = (event: AgentEvent) => {
        const one = of(event.customerId)
        if (event.seq <= one.seq) return
        one.seq = event.seq
        one.generation = event.generation
        one.phase = phaseOf(event) ?? one.phase
        if (event._tag !== "resync") one.events.push(event)
      }
      const listen = Effect.gen(function* () {
        const batch = yield* events.take(100)
        for (const { event } of batch) note(event)
        yield* events.acknowledge(batch.map(({ id }) => id))
      }).pipe(
        Effect.catch(() => Effect.sleep("200 millis")),
        Effect.forever,
      )
      const relay = Effect.gen(function* () {
        yield* Effect.sleep("500 millis")
        for (const [customerId, row] of rows) {
          if (!relaying || of(customerId).generation >= row.generation) continue
          if (performance.now() - row.pushedAt < repushMillis) continue
          yield* queue.push(row.text)
          row.pushedAt = performance.now()
        }
      }).pipe(
        Effect.catch(() => Effect.void),
        Effect.forever,
      )
      yield* Effect.forkScoped(Effect.all([listen, relay], { concurrency: 2, discard: true }))

      return Control.of({
        order: Effect.fn("Control.order")(function* (options) {
          const text = yield* Effect.provideContext(jobText(options), context)
          const { customerId, generation = 1 } = options
          if (customerId !== undefined) rows.set(customerId, { text, generation, pushedAt: performance.now() })
          yield* queue.push(text)
        }),
        heard: (customerId) => Effect.sync(() => ({ ...of(customerId), events: [...of(customerId).events] })),
        orderAgain: (customerId) => {
          const row = rows.get(customerId)
          return row === undefined ? Effect.die(`nothing was ordered for ${customerId}`) : queue.push(row.text)
        },
        relays: (on) => Effect.sync(() => void (relaying = on)),
      })
    }),
  )
}
