/**
 * The stream `usage:events` in memory, shared by the memory layers of `Allowance`, which appends, and `UsageEvents`, which
 * reads. Lost with the process, like a Redis without a disk: the next one starts a new epoch.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type { UsageEvent } from "../Usage.ts"
import type { Page, StreamPlace } from "../UsageEvents.ts"

export class UsageLog extends Context.Service<
  UsageLog,
  {
    append(event: UsageEvent): void
    after(place: StreamPlace, max: number): Page
    /** Everything after a place; undefined if some of it was trimmed. */
    missedBy(place: StreamPlace): ReadonlyArray<UsageEvent> | undefined
    trim(place: StreamPlace): void
    length(): number
    /** When the oldest event was told, epoch ms; undefined if there is none. */
    oldest(): number | undefined
  }
>()("@berth/domain/Allowance/UsageLog") {
  static readonly layer: Layer.Layer<UsageLog> = Layer.effect(
    UsageLog,
    Effect.gen(function* () {
      const minted = `memory-${yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)}`
      // Like the script's, the epoch begins with the first event.
      let epoch = ""
      let next = 1
      let trimmed = 0
      let events: Array<{ readonly number: number; readonly event: UsageEvent }> = []
      const known = (place: StreamPlace) => (place.epoch === epoch ? Number.parseInt(place.cursor, 10) : 0)
      const from = (place: StreamPlace) => events.filter((one) => one.number > known(place))
      return {
        append: (event) => {
          epoch = minted
          events.push({ number: next++, event })
        },
        after: (place, max) => ({
          epoch,
          start: `${place.epoch === epoch ? Math.max(known(place), trimmed) : 0}-0`,
          events: from(place)
            .slice(0, max)
            .map(({ number, event }) => ({ cursor: `${number}-0`, event })),
        }),
        missedBy: (place) => (known(place) < trimmed ? undefined : from(place).map(({ event }) => event)),
        trim: (place) => {
          trimmed = Math.max(trimmed, Math.min(known(place), next - 1))
          events = events.filter((one) => one.number > trimmed)
        },
        length: () => events.length,
        oldest: () => events[0]?.event.at,
      }
    }),
  )
}
