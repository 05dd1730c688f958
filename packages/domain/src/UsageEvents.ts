/**
 * The stream `usage:events`: settled usage on its way to Postgres. Order is the store's; an event leaves the stream only
 * when Postgres has committed it. The recorder's place is (epoch, cursor) and stands in Postgres beside what it recorded,
 * so recording is exactly-once; a stream that was lost, or that lost its tail, starts a new epoch and is read from its
 * beginning: what it says again is known by its source id.
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

export interface Page {
  readonly epoch: string
  /**
   * The cursor after which `events` follow: that of the place if the stream knows it, else "0-0". Later than the place's if
   * what lies between was trimmed: another Postgres than this one had recorded it.
   */
  readonly start: string
  readonly events: ReadonlyArray<Recordable>
}

/** How far a page reaches. */
export const endOf = ({ epoch, start, events }: Page): StreamPlace => ({
  epoch,
  cursor: events.at(-1)?.cursor ?? start,
})

export class UsageEvents extends Context.Service<
  UsageEvents,
  {
    /**
     * Up to `max` events after the recorder's place, oldest first. A place that the stream does not know counts as the
     * beginning: of another epoch, or of this one and gone with its tail. The stream then begins a new epoch on account of
     * that place, and every allowance in the store is outdated: it may lack what Postgres has.
     */
    after(place: StreamPlace, max: number): Effect.Effect<Page, StoreUnavailable>
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
