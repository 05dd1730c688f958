/**
 * Conclusions that the store has acknowledged but may yet lose: a Redis that syncs its file once a second, or whose replica
 * lags, comes back without what came last. Kept here until they are older than that and recorded, and at most so many.
 */
import type { Settled } from "@berth/domain/Allowance"
import type { StoreUnavailable } from "@berth/domain/Errors"
import type * as Effect from "effect/Effect"

/** Tells the store; a repeat changes nothing. */
export type Conclusion = Effect.Effect<Settled | void, StoreUnavailable>

/** How long what the store acknowledged may still be lost, in ms. Redis promises two seconds, a failover a few. */
export const losableMillis = 10_000
/** Half a kilobyte each. */
export const most = 10_000

export interface Recent {
  /** `at`: when the store acknowledged it, epoch ms. */
  remember(name: string, conclusion: Conclusion, at: number): void
  /** Lets go of what was acknowledged before an instant. */
  forgetBefore(instant: number): void
  all(): ReadonlyArray<readonly [name: string, conclusion: Conclusion]>
}

export const make = (): Recent => {
  /** The oldest first. */
  const kept = new Map<string, { readonly conclusion: Conclusion; readonly at: number }>()
  return {
    remember: (name, conclusion, at) => {
      kept.delete(name)
      kept.set(name, { conclusion, at })
      const oldest = kept.size > most ? kept.keys().next().value : undefined
      if (oldest !== undefined) kept.delete(oldest)
    },
    forgetBefore: (instant) => {
      for (const [name, { at }] of kept) {
        if (at >= instant) return
        kept.delete(name)
      }
    },
    all: () => [...kept].map(([name, { conclusion }]) => [name, conclusion] as const),
  }
}
