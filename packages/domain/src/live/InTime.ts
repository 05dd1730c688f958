/**
 * Bounds how long anybody waits for a store. What comes too late is interrupted, and nobody waits for that either: a driver
 * takes seconds to give up on a peer that has fallen silent.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The effect's outcome if it is there within so many ms, else a failure; it lives in the scope meanwhile. */
export const inTime = <A, E>(
  scope: Scope.Scope,
  millis: number,
  late: () => E,
): ((effect: Effect.Effect<A, E>) => Effect.Effect<A, E>) => {
  return (effect) =>
    Effect.flatMap(Effect.forkIn(Effect.interruptible(effect), scope), (fiber) =>
      Effect.callback<A, E>((resume) => {
        const timer = setTimeout(() => {
          resume(Effect.fail(late()))
          fiber.interruptUnsafe()
        }, millis)
        const forget = fiber.addObserver((exit) => {
          clearTimeout(timer)
          resume(exit)
        })
        return Effect.sync(() => {
          clearTimeout(timer)
          forget()
          fiber.interruptUnsafe()
        })
      }),
    )
}
