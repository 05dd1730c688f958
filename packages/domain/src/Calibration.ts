/**
 * What was learnt of the prompts that a customer sends a model: by what their true counts were off the likely ones, mix by
 * mix. It only ever tightens a bound that is safe without it, so it is kept where it can be lost: in Redis, a hash
 * `calibration:{<id>}` with a field per model, gone 60 days after it was last added to. On an unreachable store: fails, and
 * whoever asked goes on with what it knows.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { merge } from "./Calibration/Merge.ts"
import type { StoreUnavailable } from "./Errors.ts"
import type { CustomerId } from "./Ids.ts"

/** Prompts made of much the same. A miss is how far a true count was from the likely one, as a share of it. */
export const Mix = Schema.Struct({
  /** What they are made of: the square root of each class' share, so that the squares add up to 1. */
  roots: Schema.Array(Schema.Number),
  /** Prompts, old ones fading away. */
  count: Schema.Number,
  /** Of their misses: the sum, the sum of squares, and the sum of the variance that their shortness explains. */
  sum: Schema.Number,
  squares: Schema.Number,
  noise: Schema.Number,
})
export type Mix = typeof Mix.Type

export const CalibrationState = Schema.Struct({
  /** Of the constants that the misses were measured against; what others measured says nothing. */
  version: Schema.Int,
  mixes: Schema.Array(Mix),
})
export type CalibrationState = typeof CalibrationState.Type

export class Calibrations extends Context.Service<
  Calibrations,
  {
    /** By model; what can't be read any more is left out. */
    of(customerId: CustomerId): Effect.Effect<ReadonlyMap<string, CalibrationState>, StoreUnavailable>
    /** Adds what one process learnt to what all have; the whole of it. The order in which they add matters little. */
    learn(
      customerId: CustomerId,
      model: string,
      learnt: CalibrationState,
    ): Effect.Effect<CalibrationState, StoreUnavailable>
  }
>()("@berth/domain/Calibrations") {
  static readonly layerMemory: Layer.Layer<Calibrations> = Layer.sync(Calibrations, () => {
    const customers = new Map<CustomerId, Map<string, CalibrationState>>()
    return Calibrations.of({
      of: Effect.fn("Calibrations.of")((customerId: CustomerId) =>
        Effect.sync(() => new Map(customers.get(customerId))),
      ),
      learn: Effect.fn("Calibrations.learn")((customerId: CustomerId, model: string, learnt: CalibrationState) =>
        Effect.sync(() => {
          const known = customers.get(customerId) ?? new Map<string, CalibrationState>()
          customers.set(customerId, known)
          const state = merge(known.get(model), learnt)
          known.set(model, state)
          return state
        }),
      ),
    })
  })
}
