/**
 * The stream `usage:events`: settled usage on its way to Postgres. Order is the store's; an event leaves the stream only
 * when Postgres has committed it. The recorder's place is (epoch, cursor) and stands in Postgres beside what it recorded,
 * so recording is exactly-once; a stream that was lost starts a new epoch and is read from its beginning.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { UsageLog } from "./Allowance/UsageLog.ts"
import type { StoreUnavailable } from "./Errors.ts"
import type { UsageEvent } from "./Usage.ts"

/** A place in one life of the stream. `cursor` "0-0" is before the first event; the epoch is "" until there was one. */
export interface StreamPlace {
  readonly epoch: string
  readonly cursor: string
}

export interface Recordable {
  readonly cursor: string
  readonly event: UsageEvent
}

export class UsageEvents extends Context.Service<
  UsageEvents,
  {
    /** Up to `max` events after a place, oldest first, with the epoch they belong to. A place of another epoch counts as the beginning. */
    after(
      place: StreamPlace,
      max: number,
    ): Effect.Effect<{ readonly epoch: string; readonly events: ReadonlyArray<Recordable> }, StoreUnavailable>
    /** Drops what Postgres has committed, up to and including the place's cursor; nothing if the epoch is another. */
    trim(place: StreamPlace): Effect.Effect<void, StoreUnavailable>
    /** Events waiting. */
    readonly length: Effect.Effect<number, StoreUnavailable>
  }
>()("@berth/domain/UsageEvents") {
  /** Shares its stream with `Allowance.layerMemory`. */
  static readonly layerMemory: Layer.Layer<UsageEvents> = Layer.effect(
    UsageEvents,
    Effect.map(UsageLog, (log) => ({
      after: Effect.fn("UsageEvents.after")((place: StreamPlace, max: number) =>
        Effect.sync(() => log.after(place, max)),
      ),
      trim: Effect.fn("UsageEvents.trim")((place: StreamPlace) => Effect.sync(() => log.trim(place))),
      length: Effect.sync(() => log.length()),
    })),
  ).pipe(Layer.provide(UsageLog.layer))
}
