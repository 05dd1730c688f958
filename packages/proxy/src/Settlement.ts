/**
 * Step 6: what was held is counted or given back, once. Invariants: every hold that was opened here is renewed until it
 * is concluded; a conclusion survives the request that it belongs to, a store that is away for a while or comes back without
 * what it had acknowledged last, and a shutdown (within a bound). What cannot be concluded in time is left to the sweeper
 * and reported.
 */
import { Allowance, type Hold, type Settlement as Settling } from "@berth/domain/Allowance"
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Metrics from "./Metrics.ts"
import { Settings } from "./Settings.ts"
import * as Recent from "./Settlement/Recent.ts"

/** Holds live 90 s in the store; three renewals fit. */
const renewEvery = "20 seconds"
const sweepEvery = "5 seconds"
const clearEvery = "1 second"
/** How soon it is noticed that the store was lost and came back. */
const listenEvery = "250 millis"
/** Between two tries to conclude while the store is away, in ms; its return cuts the pause short. */
const pauses = { first: 100, longest: 5_000 }
/** So many are told again at a time. */
const atOnce = 64
/** Admissions without an answer that are remembered; what is beyond is left to the sweeper. */
const mostDoubtful = 1_000
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
      const clock = yield* Clock.Clock
      const context = yield* Effect.context<never>()
      const holds = new Map<string, Hold>()
      const doubtful = new Set<Hold>()
      const listeners: Array<(customerId: CustomerId) => void> = []
      // Finalizers run last in, first out: a shutdown ends the waits, then gives the retries a last chance, then ends those.
      const retries = yield* FiberSet.make<void>()
      const recent = Recent.make()
      const returned = Latch.makeUnsafe()
      yield* Effect.addFinalizer(() =>
        FiberSet.awaitEmpty(retries).pipe(Effect.timeoutOption(lastChance), Effect.asVoid),
      )
      const waits = yield* FiberSet.make<void>()

      const close = (hold: Hold) => {
        holds.delete(keyOf(hold))
        for (const listener of listeners) listener(hold.customerId)
      }

      /** Tells the store, and remembers that it was told. */
      const tell = (name: string, conclusion: Recent.Conclusion) =>
        Effect.flatMap(conclusion, (result) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            recent.remember(name, conclusion, now)
            return result
          }),
        )

      const giveUp = (what: string, { requestId, attempt, customerId, ask }: Hold) =>
        Effect.andThen(
          Metric.update(Metrics.unsettled, 1),
          Effect.logError(`${what} given up: the store stayed away`, { requestId, attempt, customerId, ask }),
        )

      const retry = Effect.fnUntraced(function* (hold: Hold, what: string, once: Effect.Effect<void, unknown>) {
        const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(settleRetry)
        for (let tried = 0; (yield* Clock.currentTimeMillis) < until; tried++) {
          yield* Metric.update(Metrics.settleRetries, 1)
          const pause = Math.min(pauses.longest, pauses.first * 2 ** tried) * (yield* Random.nextBetween(0.8, 1.2))
          yield* Effect.raceFirst(Effect.sleep(pause), returned.await)
          if (yield* Effect.isSuccess(once)) return
        }
        yield* giveUp(what, hold)
      })

      /** One try here, so that the usual case costs no fiber; the others in the background. */
      const conclude = (hold: Hold, what: string, conclusion: Recent.Conclusion) => {
        const since = clock.currentTimeMillisUnsafe()
        const once = Effect.map(tell(`${what} ${keyOf(hold)}`, conclusion), () => {
          close(hold)
          Metrics.settleSeconds.updateUnsafe((clock.currentTimeMillisUnsafe() - since) / 1_000, context)
        })
        const retried = retry(hold, what, once).pipe(
          // By a shutdown that can wait no longer.
          Effect.onInterrupt(() => giveUp(what, hold)),
          Effect.ensuring(Effect.sync(() => close(hold))),
        )
        return Effect.uninterruptible(
          Effect.catchTag(once, "StoreUnavailable", () => Effect.asVoid(FiberSet.run(retries, retried))),
        )
      }

      const renewAll = Effect.suspend(() => (holds.size === 0 ? Effect.void : allowance.renew([...holds.values()])))
      const renew = renewAll.pipe(
        Effect.catchTag("StoreUnavailable", (error) =>
          Effect.logWarning("holds not renewed", error.store, error.operation),
        ),
      )
      /** Holds first: without them others would be let in who do not fit. */
      const restore = Effect.gen(function* () {
        yield* returned.release
        yield* renewAll
        const results = yield* Effect.forEach(recent.all(), ([name, conclusion]) => tell(name, conclusion), {
          concurrency: atOnce,
        })
        const lost = results.filter((result) => result === "settled" || result === "corrected").length
        yield* Metric.update(Metrics.restored, lost)
        if (lost > 0) yield* Effect.logWarning("The store had lost settlements and was told of them again", { lost })
      })
      let life: string | undefined
      const listen = Effect.gen(function* () {
        const pulse = yield* allowance.pulse
        if (life !== undefined && life !== pulse.life) yield* restore
        life = pulse.life
        yield* Metric.update(Metrics.recordingLag, pulse.lag / 1_000)
        recent.forgetBefore((yield* Clock.currentTimeMillis) - Recent.losableMillis - pulse.lag)
      }).pipe(Effect.catchTag("StoreUnavailable", () => Effect.void))
      const sweep = allowance.sweep.pipe(
        Effect.flatMap((lost) => (lost === 0 ? Effect.void : Metric.update(Metrics.lost, lost))),
        Effect.catchTag("StoreUnavailable", () => Effect.void),
      )
      const clear = Effect.suspend(() =>
        Effect.forEach(
          [...doubtful],
          (hold) => Effect.map(tell(`doubt ${keyOf(hold)}`, allowance.release(hold)), () => doubtful.delete(hold)),
          { discard: true },
        ),
      ).pipe(Effect.catchTag("StoreUnavailable", () => Effect.void))
      yield* Effect.forkScoped(Effect.repeat(clear, Schedule.spaced(clearEvery)))
      yield* Effect.forkScoped(Effect.repeat(renew, Schedule.spaced(renewEvery)))
      yield* Effect.forkScoped(Effect.repeat(listen, Schedule.spaced(listenEvery)))
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
          if (doubtful.size < mostDoubtful)
            doubtful.add({ customerId, requestId, attempt, period: 0, ask: 0, background: false })
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
