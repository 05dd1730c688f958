/**
 * Runs a step for ever as a fiber of its layer. A failing step is logged and tried again after a jittered backoff; nothing
 * it does ends the fiber. On close the running step is finished first, so nothing is cut in the middle.
 */
import { type QueueName, type Taken, Work } from "@berth/domain/Work"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import type { SqlError } from "effect/sql/SqlError"

/** Whether there may be more to do at once. */
export type Progress = boolean

const drainLimit = "20 seconds"

const backoffMillis = (failures: number, longest: number): number =>
  Math.min(longest, 250 * 2 ** Math.min(failures, 10))

/** A bug is told whole; an expected failure in a line, because an outage repeats it many times. */
const told = (cause: Cause.Cause<unknown>): unknown => {
  if (Cause.hasDies(cause)) return cause
  const error = Cause.squash(cause)
  if (!Predicate.hasProperty(error, "_tag")) return String(error)
  const { _tag, operation, message } = error as { _tag: string; operation?: string; message?: string }
  return [_tag, operation, message].filter((part) => part !== undefined && part !== "").join(": ")
}

/** `step` is run again at once if it made progress, else after `idleMillis`; after failures `longestMillis` at most. */
export const layer = <E, R>(
  name: string,
  step: Effect.Effect<Progress, E, R>,
  idleMillis: number,
  longestMillis = 30_000,
): Layer.Layer<never, never, R> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const closing = yield* Deferred.make<void>()
      const pause = (millis: number) => Effect.raceFirst(Effect.sleep(millis), Deferred.await(closing))
      const loop = Effect.gen(function* () {
        let failures = 0
        while (!(yield* Deferred.isDone(closing))) {
          const exit = yield* Effect.exit(step)
          if (Exit.isSuccess(exit)) {
            failures = 0
            if (!exit.value) yield* pause(idleMillis)
            continue
          }
          yield* Effect.logWarning(`${name} failed, trying again`, told(exit.cause))
          yield* pause(backoffMillis(failures++, longestMillis) * (yield* Random.nextBetween(0.5, 1)))
        }
      })
      const fiber = yield* Effect.forkDetach(Effect.annotateLogs(loop, { worker: name }))
      yield* Effect.addFinalizer(() =>
        Deferred.succeed(closing, undefined).pipe(
          Effect.andThen(Effect.timeoutOption(Fiber.await(fiber), drainLimit)),
          Effect.andThen(Fiber.interrupt(fiber)),
        ),
      )
    }),
  )

/** The row can never be handled: it is kept for ops with the reason, without further tries. */
export class Hopeless extends Schema.TaggedError<Hopeless>()("Hopeless", { reason: Schema.String }) {}

export interface QueueOptions {
  readonly queue: QueueName
  /** A row that failed so often is buried. */
  readonly attempts: number
  /** Tries come ever more slowly, but never more slowly than this. */
  readonly longestWaitMillis: number
}

/** So many rows at once, and at a time. */
const batch = 8
const concurrency = 4
/** Prolonged while a row is held, so it only says how soon another process goes on after a kill. */
const leaseMillis = 6_000

/** Takes what is due of a queue and handles it, each row by itself. `handle` marks its row done in its own transaction. */
export const drain =
  (options: QueueOptions) =>
  <E extends { readonly _tag: string }, R>(
    handle: (row: Taken) => Effect.Effect<void, E, R>,
  ): Effect.Effect<Progress, SqlError, Work | R> =>
    Effect.gen(function* () {
      const work = yield* Work
      const giveUp = (row: Taken, reason: string) =>
        Effect.logError("Work is buried", { id: row.id, reason }).pipe(Effect.andThen(work.bury(row.id, reason)))
      const places = Semaphore.makeUnsafe(concurrency)
      /** Keeps a row ours, also while it waits for its turn. A database that is away lets it go, which only repeats it. */
      const keep = (row: Taken) =>
        Effect.sleep(leaseMillis / 3).pipe(
          Effect.andThen(Clock.currentTimeMillis),
          Effect.flatMap((now) => work.putOff(row.id, now + leaseMillis)),
          Effect.ignore,
          Effect.forever,
        )
      const rows = yield* work.take(options.queue, batch, leaseMillis)
      yield* Effect.forEach(
        rows,
        (row) =>
          Effect.catchCause(Effect.raceFirst(places.withPermits(1)(handle(row)), keep(row)), (cause) => {
            const failure = Cause.squash(cause)
            const reason = failure instanceof Hopeless ? failure.reason : Cause.pretty(cause).slice(0, 2_000)
            if (failure instanceof Hopeless || row.attempts + 1 >= options.attempts) return giveUp(row, reason)
            return Effect.gen(function* () {
              yield* Effect.logWarning("Work failed, trying again", {
                id: row.id,
                attempts: row.attempts + 1,
                cause: told(cause),
              })
              const wait = Math.min(options.longestWaitMillis, 1_000 * 2 ** Math.min(row.attempts, 20))
              const jitter = yield* Random.nextBetween(0.75, 1)
              yield* work.putOff(row.id, (yield* Clock.currentTimeMillis) + Math.round(wait * jitter))
            })
          }),
        { concurrency: "unbounded", discard: true },
      )
      return rows.length > 0
    })
