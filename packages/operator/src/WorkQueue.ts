/**
 * Keys to be worked on, by lane. Invariants: one key is worked on by one fiber at a time, and a key added meanwhile is
 * worked on again afterwards; a key that waits in two lanes counts for the more urgent one. A failure is tried again with
 * exponential, jittered backoff; a success forgets its failures.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as FiberSet from "effect/FiberSet"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import { type ByLane, isMoreUrgent, type Lane, lanes, pick } from "./Lanes.ts"

const firstDelay = 250

/** Works on one key; may ask to be called again after a while. */
export type Work<E, R> = (key: string, lane: Lane) => Effect.Effect<Duration.Duration | undefined, E, R>

export interface WorkQueue {
  /** Adds a key unless it already waits in this lane or a more urgent one. Works from synchronous code. */
  add(key: string, lane: Lane): void
  /** Works on keys until interrupted; one run at a time. */
  run<E, R>(work: Work<E, R>): Effect.Effect<never, never, R>
  /** Keys waiting or being worked on. */
  size(): number
  /** Keys that wait, by lane; those that wait for their next try are not counted. */
  waiting(): ByLane
  /** For how long, in ms, the key that has waited longest in each lane has; 0 where none waits. */
  oldest(): ByLane
}

/** A failure that is expected in a line; a defect whole. */
const why = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return Cause.hasDies(cause) || !Predicate.hasProperty(error, "message")
    ? Cause.pretty(cause)
    : `${Predicate.hasProperty(error, "_tag") ? String(error._tag) : "Error"}: ${String(error.message)}`
}

const byLane = (of: (lane: Lane) => number): ByLane =>
  Object.fromEntries(lanes.map((lane) => [lane, of(lane)])) as Record<Lane, number>

/** `longestDelay` in ms: what fails again and again is tried at least so often. */
export const make = Effect.fnUntraced(function* (longestDelay: number): Effect.fn.Return<WorkQueue> {
  const clock = yield* Clock.Clock
  /** Since when each key waits, in the order in which they came. */
  const waiting = Object.fromEntries(lanes.map((lane) => [lane, new Map<string, number>()])) as Record<
    Lane,
    Map<string, number>
  >
  const working = new Map<string, Lane>()
  const failures = new Map<string, number>()
  let start: ((key: string, lane: Lane) => void) | undefined

  const laneOf = (key: string) => lanes.find((lane) => waiting[lane].has(key))
  const depth = () => byLane((lane) => waiting[lane].size)

  /** The oldest key of a lane that nobody works on yet. */
  const next = (lane: Lane) => {
    for (const key of waiting[lane].keys()) if (!working.has(key)) return key
    return undefined
  }

  /** Starts what there is a place for. */
  const fill = () => {
    while (start !== undefined) {
      const heads = Object.fromEntries(lanes.map((lane) => [lane, next(lane)])) as Record<Lane, string | undefined>
      const inHand = [...working.values()]
      const lane = pick(
        byLane((one) => (heads[one] === undefined ? 0 : 1)),
        byLane((one) => inHand.filter((its) => its === one).length),
      )
      const key = lane === undefined ? undefined : heads[lane]
      if (lane === undefined || key === undefined) return
      waiting[lane].delete(key)
      working.set(key, lane)
      start(key, lane)
    }
  }

  const add = (key: string, lane: Lane) => {
    const standing = laneOf(key)
    if (standing !== undefined) {
      if (!isMoreUrgent(lane, standing)) return
      waiting[standing].delete(key)
    }
    waiting[lane].set(key, clock.currentTimeMillisUnsafe())
    fill()
  }

  const backoff = Effect.fnUntraced(function* (key: string) {
    const count = (failures.get(key) ?? 0) + 1
    failures.set(key, count)
    const delay = Math.min(longestDelay, firstDelay * 2 ** Math.min(count - 1, 10))
    return Duration.millis(Math.round(delay * (0.8 + 0.4 * (yield* Random.next))))
  })

  const run: WorkQueue["run"] = <E, R>(work: Work<E, R>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const later = yield* FiberMap.make<string>()
        const due = new Map<string, { readonly at: number; readonly lane: Lane }>()
        /** An earlier call stands: a poll must not put off a retry, nor the other way round. */
        const addAfter = Effect.fnUntraced(function* (key: string, lane: Lane, delay: Duration.Duration) {
          const at = (yield* Clock.currentTimeMillis) + Duration.toMillis(delay)
          if ((due.get(key)?.at ?? Number.POSITIVE_INFINITY) <= at) return
          due.set(key, { at, lane })
          const again = Effect.sync(() => {
            due.delete(key)
            add(key, lane)
          })
          yield* FiberMap.run(later, key, Effect.andThen(Effect.sleep(delay), again))
        })
        const one = (key: string, lane: Lane) =>
          work(key, lane).pipe(
            Effect.tap(() => Effect.sync(() => failures.delete(key))),
            Effect.catchCause((cause) =>
              Effect.logWarning(`work on ${key} failed; it is tried again: ${why(cause)}`).pipe(
                Effect.andThen(backoff(key)),
              ),
            ),
            Effect.flatMap((delay) => (delay === undefined ? Effect.void : addAfter(key, lane, delay))),
            Effect.onInterrupt(() => Effect.sync(() => add(key, lane))),
            Effect.ensuring(
              Effect.sync(() => {
                working.delete(key)
                fill()
              }),
            ),
          )
        const fork = yield* FiberSet.makeRuntime<R>()
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            start = (key, lane) => void fork(one(key, lane))
            fill()
          }),
          () =>
            Effect.sync(() => {
              start = undefined
              // What waits for its next try is tried by the next run.
              for (const [key, { lane }] of due) add(key, lane)
            }),
        )
        return yield* Effect.never
      }),
    )

  return {
    add,
    run,
    size: () => lanes.reduce((total, lane) => total + waiting[lane].size, working.size),
    waiting: depth,
    oldest: () => {
      const now = clock.currentTimeMillisUnsafe()
      return byLane((lane) => now - ([...waiting[lane].values()][0] ?? now))
    },
  }
})
