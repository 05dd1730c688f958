/**
 * How much of the process's memory requests may take up: each counts a fixed part and its body while it lasts, and those
 * of one customer may fill a quarter, so that nobody can bring the process down for the others. Invariant: what a request
 * took is given back when it is over. Beyond the bound it refuses at once; nobody waits.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { NoRoom } from "./Errors.ts"
import * as Metrics from "./Metrics.ts"
import { Settings } from "./Settings.ts"

/** Bytes that a request counts for besides its body: what its connection, its headers and its steps take, rounded up. */
export const requestBytes = 16 * 1024

/** Where one request's bytes are counted. */
export interface Place {
  /** Counts bytes more; if there is no room for them they are not counted, and the answer says whose room is used up. */
  take(customerId: CustomerId, bytes: number): NoRoom | undefined
  /** Gives back all of it; a second call does nothing. */
  leave(): void
}

export class Intake extends Context.Service<Intake, { place(): Place }>()("@berth/proxy/Intake") {
  static readonly layer: Layer.Layer<Intake, never, Settings> = Layer.effect(
    Intake,
    Effect.gen(function* () {
      const { intakeBytes } = yield* Settings
      const share = intakeBytes / 4
      const taken = new Map<CustomerId, number>()
      let all = 0
      const count = (customerId: CustomerId, bytes: number) => {
        all += bytes
        const own = (taken.get(customerId) ?? 0) + bytes
        if (own === 0) taken.delete(customerId)
        else taken.set(customerId, own)
      }
      const report = Effect.suspend(() => Metric.update(Metrics.intakeBytes, all))
      yield* Effect.forkScoped(Effect.repeat(report, Schedule.spaced("5 seconds")))
      return {
        place: () => {
          let owner: CustomerId | undefined
          let mine = 0
          return {
            take: (customerId, bytes) => {
              if ((taken.get(customerId) ?? 0) + bytes > share) return new NoRoom({ whose: "customer" })
              if (all + bytes > intakeBytes) return new NoRoom({ whose: "process" })
              owner = customerId
              mine += bytes
              count(customerId, bytes)
              return undefined
            },
            leave: () => {
              if (owner !== undefined) count(owner, -mine)
              owner = undefined
              mine = 0
            },
          }
        },
      }
    }),
  )
}
