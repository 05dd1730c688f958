/**
 * Step 6: what was held is counted or given back, once. Invariants: every hold that was opened here is renewed until it
 * is concluded; a conclusion survives the request that it belongs to, a store that is away for a while, and a shutdown
 * (within a bound). What cannot be concluded in time is left to the sweeper and reported.
 */
import { Allowance, type Hold, type Settlement as Settling } from "@berth/domain/Allowance"
import type { StoreUnavailable } from "@berth/domain/Errors"
import type { CustomerId } from "@berth/domain/Ids"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import * as Metrics from "./Metrics.ts"
import { Settings } from "./Settings.ts"

/** Holds live 90 s in the store; three renewals fit. */
const renewEvery = "20 seconds"
const sweepEvery = "5 seconds"
const clearEvery = "1 second"
/** Admissions without an answer that are remembered; what is beyond is left to the sweeper. */
const mostDoubtful = 10_000
/** How long a shutdown waits for conclusions that are still tried. */
const lastChance = "10 seconds"

export class Settlement extends Context.Service<
  Settlement,
  {
    /** From now on this process renews the hold, until it is settled or given back. */
    opened(hold: Hold): void
    /** Counts a call and releases its hold. Comes back at once when the store is away: it is then tried in the background. */
    settle(settling: Settling): Effect.Effect<void>
    /** Releases the hold of a call that never reached the upstream; else like `settle`. */
    giveBack(hold: Hold): Effect.Effect<void>
    /** The store may hold this, or be about to, but its answer was lost and the request refused: given back once it answers again. */
    doubted(call: Pick<Hold, "customerId" | "requestId" | "attempt">): void
    /** Runs a wait that outlives its request and ends with a conclusion. A shutdown interrupts it, so the conclusion must be in a finalizer. */
    later(wait: Effect.Effect<void>): Effect.Effect<void>
    /** Calls back whenever a customer's hold was concluded here. */
    onFreed(listener: (customerId: CustomerId) => void): void
    readonly open: () => number
  }
>()("@berth/proxy/Settlement") {
  static readonly layer: Layer.Layer<Settlement, never, Allowance | Settings> = Layer.effect(
    Settlement,
    Effect.gen(function* () {
      const allowance = yield* Allowance
      const { settleRetry } = yield* Settings
      const holds = new Map<string, Hold>()
      const doubtful = new Set<Hold>()
      const listeners: Array<(customerId: CustomerId) => void> = []
      // Finalizers run last in, first out: a shutdown ends the waits, then gives the retries a last chance, then ends those.
      const retries = yield* FiberSet.make<void>()
      yield* Effect.addFinalizer(() =>
        FiberSet.awaitEmpty(retries).pipe(Effect.timeoutOption(lastChance), Effect.asVoid),
      )
      const waits = yield* FiberSet.make<void>()

      const close = (hold: Hold) => {
        holds.delete(keyOf(hold))
        for (const listener of listeners) listener(hold.customerId)
      }

      const again = Schedule.min([
        Schedule.jittered(Schedule.exponential("100 millis")),
        Schedule.spaced("5 seconds"),
      ]).pipe(Schedule.upTo({ duration: settleRetry }))

      /** One try here, so that the usual case costs no fiber; the others in the background. */
      const conclude = (hold: Hold, what: string, effect: Effect.Effect<unknown, StoreUnavailable>) => {
        const once = Effect.map(effect, () => close(hold))
        const retried = Effect.retry(
          Effect.tapError(once, () => Metric.update(Metrics.settleRetries, 1)),
          again,
        ).pipe(
          Effect.catchTag("StoreUnavailable", () =>
            Effect.andThen(
              Metric.update(Metrics.unsettled, 1),
              Effect.logError(`${what} given up: the store stayed away`, {
                requestId: hold.requestId,
                attempt: hold.attempt,
                customerId: hold.customerId,
                ask: hold.ask,
              }),
            ),
          ),
          Effect.ensuring(Effect.sync(() => close(hold))),
        )
        return Effect.uninterruptible(
          Effect.catchTag(once, "StoreUnavailable", () => Effect.asVoid(FiberSet.run(retries, retried))),
        )
      }

      const renew = Effect.suspend(() => (holds.size === 0 ? Effect.void : allowance.renew([...holds.values()]))).pipe(
        Effect.catchTag("StoreUnavailable", (error) =>
          Effect.logWarning("holds not renewed", error.store, error.operation),
        ),
      )
      const sweep = allowance.sweep.pipe(
        Effect.flatMap((lost) => (lost === 0 ? Effect.void : Metric.update(Metrics.lost, lost))),
        Effect.catchTag("StoreUnavailable", () => Effect.void),
      )
      const clear = Effect.suspend(() =>
        Effect.forEach([...doubtful], (hold) => Effect.map(allowance.release(hold), () => doubtful.delete(hold)), {
          discard: true,
        }),
      ).pipe(Effect.catchTag("StoreUnavailable", () => Effect.void))
      yield* Effect.forkScoped(Effect.repeat(clear, Schedule.spaced(clearEvery)))
      yield* Effect.forkScoped(Effect.repeat(renew, Schedule.spaced(renewEvery)))
      yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced(sweepEvery)))
      yield* Effect.forkScoped(
        Effect.repeat(
          Effect.suspend(() => Metric.update(Metrics.openHolds, holds.size)),
          Schedule.spaced("5 seconds"),
        ),
      )

      return {
        opened: (hold) => {
          holds.set(keyOf(hold), hold)
        },
        settle: (settling) => conclude(settling.hold, "settlement", allowance.settle(settling)),
        giveBack: (hold) => conclude(hold, "release", allowance.release(hold)),
        doubted: ({ customerId, requestId, attempt }) => {
          if (doubtful.size < mostDoubtful) doubtful.add({ customerId, requestId, attempt, period: 0, ask: 0 })
        },
        later: (wait) => Effect.asVoid(FiberSet.run(waits, wait)),
        onFreed: (listener) => {
          listeners.push(listener)
        },
        open: () => holds.size,
      }
    }),
  )
}

const keyOf = (hold: Hold): string => `${hold.requestId}:${hold.attempt}`
