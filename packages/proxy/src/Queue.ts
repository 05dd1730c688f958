/**
 * Step 4: the way to the upstream, whose limits all customers share. At most so many calls are in flight; those who wait
 * are served one customer after the other, and each customer's own in the order they came; a fifth of the slots is for
 * those who have none. So nobody who floods, or reads an answer byte by byte, keeps the others waiting. Invariant: a slot taken is given back exactly once, whatever becomes of the request.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { RateLimited } from "./Errors.ts"
import * as Metrics from "./Metrics.ts"
import { Settings } from "./Settings.ts"

/** Gives the slot back; a second call does nothing. */
export type Release = () => void

/** Whose turn it is. Pure but for its own state: no clock and no fibers. */
export class FairLine<A> {
  /** In the order of service: the first customer is next. */
  readonly #customers = new Map<CustomerId, Set<A>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(customerId: CustomerId, one: A): void {
    const own = this.#customers.get(customerId)
    if (own === undefined) this.#customers.set(customerId, new Set([one]))
    else own.add(one)
    this.#size++
  }

  remove(customerId: CustomerId, one: A): void {
    const own = this.#customers.get(customerId)
    if (own === undefined || !own.delete(one)) return
    if (own.size === 0) this.#customers.delete(customerId)
    this.#size--
  }

  /** The next one of a customer who may have a turn. The customer goes to the end of the round. */
  next(may: (customerId: CustomerId) => boolean = () => true): A | undefined {
    for (const [customerId, own] of this.#customers) {
      if (!may(customerId)) continue
      for (const one of own) {
        this.remove(customerId, one)
        if (own.size > 0) {
          this.#customers.delete(customerId)
          this.#customers.set(customerId, own)
        }
        return one
      }
    }
    return undefined
  }
}

export class Queue extends Context.Service<
  Queue,
  {
    /** Waits for a slot and hands it to `keep` in the moment it is free, so that none is lost if the wait is interrupted then. */
    take(customerId: CustomerId, keep: (release: Release) => void): Effect.Effect<void, RateLimited>
  }
>()("@berth/proxy/Queue") {
  static readonly layer: Layer.Layer<Queue, never, Settings> = Layer.effect(
    Queue,
    Effect.gen(function* () {
      const { upstreamSlots, upstreamWait } = yield* Settings
      const line = new FairLine<() => void>()
      const context = yield* Effect.context<never>()
      const clock = yield* Clock.Clock
      const waited = Metric.withAttributes(Metrics.waitSeconds, { for: "upstream" })
      const kept = Math.floor(upstreamSlots / 5)
      const inFlight = new Map<CustomerId, number>()
      let active = 0
      const report = () => {
        Metrics.upstreamActive.updateUnsafe(active, context)
        Metrics.upstreamWaiting.updateUnsafe(line.size, context)
      }

      const count = (customerId: CustomerId, by: 1 | -1) => {
        active += by
        const own = (inFlight.get(customerId) ?? 0) + by
        if (own === 0) inFlight.delete(customerId)
        else inFlight.set(customerId, own)
      }
      const mayBegin = (customerId: CustomerId) => active < upstreamSlots - (inFlight.has(customerId) ? kept : 0)

      const slot = (customerId: CustomerId): Release => {
        let held = true
        count(customerId, 1)
        report()
        return () => {
          if (!held) return
          held = false
          count(customerId, -1)
          for (let turn = line.next(mayBegin); turn !== undefined; turn = line.next(mayBegin)) turn()
          report()
        }
      }

      return {
        take: (customerId, keep) =>
          Effect.suspend(() => {
            if (mayBegin(customerId)) {
              keep(slot(customerId))
              return Effect.void
            }
            const since = clock.currentTimeMillisUnsafe()
            return Effect.callback<void>((resume) => {
              const turn = () => {
                keep(slot(customerId))
                resume(Effect.void)
              }
              line.add(customerId, turn)
              report()
              return Effect.sync(() => {
                line.remove(customerId, turn)
                report()
              })
            }).pipe(
              Effect.timeoutOrElse({
                duration: upstreamWait,
                orElse: () => Effect.fail(new RateLimited({ what: "upstream" })),
              }),
              Effect.ensuring(
                Effect.sync(() => waited.updateUnsafe((clock.currentTimeMillisUnsafe() - since) / 1_000, context)),
              ),
            )
          }),
      }
    }),
  )
}
