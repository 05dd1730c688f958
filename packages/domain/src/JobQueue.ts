/**
 * The list `operator:jobs`, by which billing hands jobs to the operator, first in first out. A job taken stays in
 * `operator:jobs:taken` until it is acknowledged, so that a crash between the two loses nothing.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { StoreUnavailable } from "./Errors.ts"

/** A job as it lay on the list. It is decoded by the operator, which buries what it cannot read. */
export type RawJob = string

/** The newest dead jobs are kept, so many. One that is buried again and again, since it is pushed again, must not fill Redis. */
export const mostDead = 1_000

export class JobQueue extends Context.Service<
  JobQueue,
  {
    /** LPUSH `operator:jobs`. */
    push(job: RawJob): Effect.Effect<void, StoreUnavailable>
    /**
     * BLMOVE from the right of `operator:jobs` to `operator:jobs:taken`; none after about a second of waiting. Interrupted,
     * it may leave a job in `taken` that nobody got, as a crash would: `returnTaken` brings it back.
     */
    readonly take: Effect.Effect<Option.Option<RawJob>, StoreUnavailable>
    /** Removes a job from `operator:jobs:taken`. */
    acknowledge(job: RawJob): Effect.Effect<void, StoreUnavailable>
    /** Puts everything in `operator:jobs:taken` back at the head of the line, in its old order; how many. On gaining the lead. */
    readonly returnTaken: Effect.Effect<number, StoreUnavailable>
    /** Moves a taken job that cannot be decoded to `operator:jobs:dead` with the reason, and forgets the oldest beyond `mostDead`. */
    bury(job: RawJob, reason: string): Effect.Effect<void, StoreUnavailable>
    /** For ops pages and tests. */
    readonly depth: Effect.Effect<
      { readonly waiting: number; readonly taken: number; readonly dead: number },
      StoreUnavailable
    >
  }
>()("@berth/domain/JobQueue") {
  /** Lost with the process, as the list is with Redis: the outbox pushes again what no agent event has answered. */
  static readonly layerMemory: Layer.Layer<JobQueue> = Layer.effect(
    JobQueue,
    Effect.gen(function* () {
      const arrivals = yield* Latch.make()
      // As in Redis: pushed and moved on the left, taken from the right.
      const waiting: Array<RawJob> = []
      const taken: Array<RawJob> = []
      const dead: Array<{ readonly job: RawJob; readonly reason: string }> = []
      const move = (): Option.Option<RawJob> => {
        const job = waiting.pop()
        if (job === undefined) return Option.none()
        taken.unshift(job)
        return Option.some(job)
      }
      const remove = (job: RawJob): boolean => {
        const index = taken.indexOf(job)
        if (index >= 0) taken.splice(index, 1)
        return index >= 0
      }
      return JobQueue.of({
        push: Effect.fn("JobQueue.push")(function* (job) {
          waiting.unshift(job)
          yield* arrivals.release
        }),
        take: Effect.gen(function* () {
          const job = move()
          if (Option.isSome(job)) return job
          yield* Effect.timeoutOption(arrivals.await, "1 second")
          return move()
        }).pipe(Effect.withSpan("JobQueue.take")),
        acknowledge: Effect.fn("JobQueue.acknowledge")(function* (job) {
          remove(job)
        }),
        returnTaken: Effect.gen(function* () {
          const returned = taken.splice(0)
          waiting.push(...returned)
          yield* arrivals.release
          return returned.length
        }).pipe(Effect.withSpan("JobQueue.returnTaken")),
        bury: Effect.fn("JobQueue.bury")(function* (job, reason) {
          if (!remove(job)) return
          dead.unshift({ job, reason })
          dead.splice(mostDead)
        }),
        depth: Effect.sync(() => ({ waiting: waiting.length, taken: taken.length, dead: dead.length })),
      })
    }),
  )
}
