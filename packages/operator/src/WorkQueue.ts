/**
 * Keys to be worked on. Invariant: one key is worked on by one fiber at a time, and a key added meanwhile is worked on
 * again afterwards. A failure is tried again with exponential, jittered backoff; a success forgets its failures.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"

const firstDelay = 250
const longestDelay = 60_000

export interface WorkQueue {
  /** Adds a key unless it already waits. Works from synchronous code. */
  add(key: string): void
  /** Works on keys until interrupted. `work` may ask to be called again after a while. */
  run<E, R>(
    concurrency: number,
    work: (key: string) => Effect.Effect<Duration.Duration | undefined, E, R>,
  ): Effect.Effect<never, never, R>
  /** Keys waiting or being worked on. */
  size(): number
}

export const make: Effect.Effect<WorkQueue> = Effect.gen(function* () {
  const ready = yield* Queue.unbounded<string>()
  const waiting = new Set<string>()
  const working = new Set<string>()
  const failures = new Map<string, number>()

  const add = (key: string) => {
    if (waiting.has(key)) return
    waiting.add(key)
    if (!working.has(key)) Queue.offerUnsafe(ready, key)
  }

  const backoff = Effect.fnUntraced(function* (key: string) {
    const count = (failures.get(key) ?? 0) + 1
    failures.set(key, count)
    const delay = Math.min(longestDelay, firstDelay * 2 ** Math.min(count - 1, 10))
    return Duration.millis(delay * (0.8 + 0.4 * (yield* Random.next)))
  })

  const run: WorkQueue["run"] = (concurrency, work) =>
    Effect.scoped(
      Effect.gen(function* () {
        // What an interrupted run before this one had in hand waits again.
        yield* Queue.clear(ready)
        working.clear()
        for (const key of waiting) Queue.offerUnsafe(ready, key)
        const later = yield* FiberMap.make<string>()
        const due = new Map<string, number>()
        /** An earlier call stands: a poll must not put off a retry, nor the other way round. */
        const addAfter = Effect.fnUntraced(function* (key: string, delay: Duration.Duration) {
          const now = yield* Clock.currentTimeMillis
          const at = now + Duration.toMillis(delay)
          if ((due.get(key) ?? Number.POSITIVE_INFINITY) <= at) return
          due.set(key, at)
          yield* FiberMap.run(
            later,
            key,
            Effect.sleep(delay).pipe(
              Effect.andThen(
                Effect.sync(() => {
                  due.delete(key)
                  add(key)
                }),
              ),
            ),
          )
        })
        const one = Effect.gen(function* () {
          const key = yield* Queue.take(ready)
          waiting.delete(key)
          working.add(key)
          yield* work(key).pipe(
            Effect.tap(() => Effect.sync(() => failures.delete(key))),
            Effect.catchCause((cause) =>
              Effect.logWarning(`reconciling ${key} failed; it is tried again`, cause).pipe(
                Effect.andThen(backoff(key)),
              ),
            ),
            Effect.flatMap((delay) => (delay === undefined ? Effect.void : addAfter(key, delay))),
            Effect.ensuring(
              Effect.sync(() => {
                working.delete(key)
                if (waiting.has(key)) Queue.offerUnsafe(ready, key)
              }),
            ),
            Effect.onInterrupt(() => Effect.sync(() => add(key))),
          )
        })
        yield* Effect.replicateEffect(Effect.forever(one), concurrency, { concurrency: "unbounded", discard: true })
        return yield* Effect.never
      }),
    )

  return { add, run, size: () => waiting.size + working.size }
})
