/**
 * What is known here of the prompts that customers send: looked up with a customer's first request, learnt from every
 * count that the upstream reports, and shared with the other processes every few seconds. Never in the way of a request:
 * whoever is not known yet, or while the store is away, is bound by the safe constants, or by what is known here.
 */
import { merge } from "@berth/domain/Calibration/Merge"
import { type CalibrationState, Calibrations } from "@berth/domain/Calibration"
import type { CustomerId } from "@berth/domain/Ids"
import type { ModelId } from "@berth/domain/Tiers"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type { Profile } from "./ByteClasses.ts"
import { type Calibrated, calibratedBy, lessonOf } from "./PromptBound.ts"

/** How often what was learnt here goes out. */
const share = Duration.seconds(3)
/** After so long a customer is looked up again, for what other processes learnt. */
const stale = Duration.toMillis(Duration.minutes(10))
/** Customers kept in memory, some kilobytes each; the least recently seen go first. */
const capacity = 10_000
/** How long a shutdown waits for what was learnt last to go out. */
const lastChance = Duration.seconds(2)

interface Known {
  readonly states: Map<string, CalibrationState>
  /** Of the states, as far as they were asked for since they last changed. */
  readonly calibrated: Map<string, Calibrated | undefined>
  /** Learnt here and not shared yet. */
  readonly pending: Map<ModelId, CalibrationState>
  /** In epoch ms. */
  lookedUp: number
}

export class Calibration extends Context.Service<
  Calibration,
  {
    /** What is known now. It looks the customer up in the background if that was not done lately. */
    of(customerId: CustomerId, model: ModelId): Calibrated | undefined
    /** A prompt of this profile was counted at so many tokens. */
    learn(customerId: CustomerId, model: ModelId, profile: Profile, tokens: number): void
  }
>()("@berth/proxy/Calibration") {
  static readonly layer: Layer.Layer<Calibration, never, Calibrations> = Layer.effect(
    Calibration,
    Effect.gen(function* () {
      const calibrations = yield* Calibrations
      const clock = yield* Clock.Clock
      const run = yield* FiberSet.makeRuntime<never>()
      const customers = new Map<CustomerId, Known>()
      const unshared = new Set<CustomerId>()

      const set = (known: Known, model: string, state: CalibrationState) => {
        known.states.set(model, state)
        known.calibrated.delete(model)
      }
      /** What the store has, and what it has not been told yet. */
      const put = (known: Known, model: string, state: CalibrationState) => {
        const pending = known.pending.get(model as ModelId)
        set(known, model, pending === undefined ? state : merge(state, pending))
      }

      const lookUp = (customerId: CustomerId, known: Known) =>
        Effect.match(calibrations.of(customerId), {
          onSuccess: (states) => {
            for (const [model, state] of states) put(known, model, state)
          },
          // It is looked up again with the next request that comes after a while.
          onFailure: () => {
            known.lookedUp = clock.currentTimeMillisUnsafe() - stale + Duration.toMillis(share)
          },
        })

      const knownOf = (customerId: CustomerId): Known => {
        const found = customers.get(customerId)
        const known = found ?? {
          states: new Map(),
          calibrated: new Map(),
          pending: new Map(),
          lookedUp: Number.NEGATIVE_INFINITY,
        }
        customers.delete(customerId)
        customers.set(customerId, known)
        const oldest = customers.size > capacity ? customers.keys().next().value : undefined
        if (oldest !== undefined) {
          customers.delete(oldest)
          unshared.delete(oldest)
        }
        const now = clock.currentTimeMillisUnsafe()
        if (now >= known.lookedUp + stale) {
          known.lookedUp = now
          run(lookUp(customerId, known))
        }
        return known
      }

      /** Sends out what was learnt of one customer; what can't go out now waits for the next time. */
      const shareOne = (customerId: CustomerId, known: Known) =>
        Effect.forEach(
          [...known.pending],
          ([model, learnt]) => {
            known.pending.delete(model)
            return Effect.match(calibrations.learn(customerId, model, learnt), {
              onSuccess: (state) => put(known, model, state),
              onFailure: () => {
                const since = known.pending.get(model)
                known.pending.set(model, since === undefined ? learnt : merge(learnt, since))
                unshared.add(customerId)
              },
            })
          },
          { discard: true },
        )
      const shareAll = Effect.suspend(() => {
        const all = [...unshared]
        unshared.clear()
        return Effect.forEach(
          all,
          (customerId) => {
            const known = customers.get(customerId)
            return known === undefined ? Effect.void : shareOne(customerId, known)
          },
          { concurrency: 8, discard: true },
        )
      })
      yield* Effect.addFinalizer(() => Effect.asVoid(Effect.timeoutOption(shareAll, lastChance)))
      yield* Effect.forkScoped(Effect.repeat(shareAll, Schedule.spaced(share)))

      return {
        of: (customerId, model) => {
          const known = knownOf(customerId)
          const state = known.states.get(model)
          if (state === undefined) return undefined
          if (!known.calibrated.has(model)) known.calibrated.set(model, calibratedBy(state))
          return known.calibrated.get(model)
        },
        learn: (customerId, model, profile, tokens) => {
          const known = knownOf(customerId)
          const lesson = lessonOf(profile, tokens)
          set(known, model, merge(known.states.get(model), lesson))
          known.pending.set(model, merge(known.pending.get(model), lesson))
          unshared.add(customerId)
        },
      }
    }),
  )
}
