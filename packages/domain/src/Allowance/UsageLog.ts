/**
 * The stream `usage:events` in memory, shared by the memory layers of `Allowance`, which appends, and `UsageEvents`, which
 * reads. Lost with the process, like a Redis without a disk: the next one starts a new epoch.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type { UsageEvent } from "../Usage.ts"
import type { Recordable, StreamPlace } from "../UsageEvents.ts"

export class UsageLog extends Context.Service<
  UsageLog,
  {
    append(event: UsageEvent): void
    after(place: StreamPlace, max: number): { readonly epoch: string; readonly events: ReadonlyArray<Recordable> }
    trim(place: StreamPlace): void
    length(): number
  }
>()("@berth/domain/Allowance/UsageLog") {
  static readonly layer: Layer.Layer<UsageLog> = Layer.effect(
    UsageLog,
    Effect.gen(function* () {
      const minted = `memory-${yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)}`
      // Like the script's, the epoch begins with the first event.
      let epoch = ""
      let next = 1
      let events: Array<{ readonly number: number; readonly event: UsageEvent }> = []
      const from = (place: StreamPlace) =>
        place.epoch === epoch ? events.filter((one) => one.number > numberOf(place.cursor)) : events
      return {
        append: (event) => {
          epoch = minted
          events.push({ number: next++, event })
        },
        after: (place, max) => ({
          epoch,
          events: from(place)
            .slice(0, max)
            .map(({ number, event }) => ({ cursor: `${number}-0`, event })),
        }),
        trim: (place) => {
          if (place.epoch === epoch) events = from(place)
        },
        length: () => events.length,
      }
    }),
  )
}

const numberOf = (cursor: string): number => Number.parseInt(cursor, 10)
