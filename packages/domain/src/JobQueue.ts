/**
 * The list `operator:jobs`, by which billing hands jobs to the operator, first in first out. A job taken stays in
 * `operator:jobs:taken` until it is acknowledged, so that a crash between the two loses nothing.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { StoreUnavailable } from "./Errors.ts"

/** A job as it lay on the list. It is decoded by the operator, which buries what it cannot read. */
export type RawJob = string

export class JobQueue extends Context.Service<
  JobQueue,
  {
    /** LPUSH `operator:jobs`. */
    push(job: RawJob): Effect.Effect<void, StoreUnavailable>
    /** BLMOVE from the right of `operator:jobs` to `operator:jobs:taken`; none after about a second of waiting. */
    readonly take: Effect.Effect<Option.Option<RawJob>, StoreUnavailable>
    /** Removes a job from `operator:jobs:taken`. */
    acknowledge(job: RawJob): Effect.Effect<void, StoreUnavailable>
    /** Puts everything in `operator:jobs:taken` back at the head of the line, in its old order; how many. On gaining the lead. */
    readonly returnTaken: Effect.Effect<number, StoreUnavailable>
    /** Moves a taken job that cannot be decoded to `operator:jobs:dead` with the reason. */
    bury(job: RawJob, reason: string): Effect.Effect<void, StoreUnavailable>
    /** For ops pages and tests. */
    readonly depth: Effect.Effect<
      { readonly waiting: number; readonly taken: number; readonly dead: number },
      StoreUnavailable
    >
  }
>()("@berth/domain/JobQueue") {}
