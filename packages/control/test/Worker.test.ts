import { type Taken, Work } from "@berth/domain/Work"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as Worker from "../src/Worker.ts"

/** A queue that hands its one row out whenever it is due. */
const oneRow = () => {
  const state = { attempts: 0, dueAt: 0, done: false, dead: "" }
  const row = (): Taken => ({ id: "row", lane: "row", payload: {}, attempts: state.attempts })
  const work = Work.of({
    offer: () => Effect.succeed(true),
    take: () =>
      Effect.gen(function* () {
        const now = yield* TestClock.testClockWith((clock) => clock.currentTimeMillis)
        if (state.done || state.dead !== "" || state.dueAt > now) return []
        const taken = row()
        state.attempts++
        return [taken]
      }),
    done: () => Effect.sync(() => void (state.done = true)),
    putOff: (_, dueAt) => Effect.sync(() => void (state.dueAt = dueAt)),
    bury: (_, reason) => Effect.sync(() => void (state.dead = reason)),
    reopen: () => Effect.sync(() => void (state.done = false)),
  })
  return { state, work }
}

class Broken extends Error {
  readonly _tag = "Broken"
}

const options = { queue: "mails" as const, attempts: 5, longestWaitMillis: 60_000 }
const quiet = Logger.layer([])

describe("a worker", () => {
  it.effect("puts a failing row off ever longer, and buries it with the reason after its attempts", () =>
    Effect.gen(function* () {
      const { state, work } = oneRow()
      const waits: Array<number> = []
      const step = Worker.drain(options)(() => Effect.fail(new Broken("the server is away"))).pipe(
        Effect.provideService(Work, work),
      )
      for (let round = 0; round < 20 && state.dead === ""; round++) {
        const now = yield* TestClock.testClockWith((clock) => clock.currentTimeMillis)
        yield* step
        waits.push(state.dueAt - now)
        yield* TestClock.setTime(Math.max(now, state.dueAt))
      }
      assert.strictEqual(state.attempts, 5)
      assert.include(state.dead, "the server is away")
      const backoffs = waits.slice(0, 4)
      for (const [index, wait] of backoffs.entries()) {
        assert.isAtLeast(wait, 750 * 2 ** index)
        assert.isAtMost(wait, 1_000 * 2 ** index)
      }
    }).pipe(Effect.provide(quiet)),
  )

  it.effect("buries what is hopeless at once", () =>
    Effect.gen(function* () {
      const { state, work } = oneRow()
      yield* Worker.drain(options)(() => Effect.fail(new Worker.Hopeless({ reason: "no such address" }))).pipe(
        Effect.provideService(Work, work),
      )
      assert.deepInclude(state, { attempts: 1, dead: "no such address" })
    }).pipe(Effect.provide(quiet)),
  )

  it.effect("a row whose handling is interrupted from within is tried again, and spoils no other", () =>
    Effect.gen(function* () {
      const { state, work } = oneRow()
      const step = Worker.drain(options)((row) => (row.attempts === 0 ? Effect.interrupt : work.done(row.id))).pipe(
        Effect.provideService(Work, work),
      )
      yield* step
      assert.isFalse(state.done)
      yield* TestClock.setTime(state.dueAt)
      yield* step
      assert.isTrue(state.done)
    }).pipe(Effect.provide(quiet)),
  )

  it.effect("goes on after failures, defects and interruptions from within", () =>
    Effect.gen(function* () {
      let runs = 0
      const step = Effect.suspend(() => {
        runs++
        if (runs === 1) return Effect.fail(new Broken("once"))
        if (runs === 2) return Effect.die("twice")
        return runs === 3 ? Effect.interrupt : Effect.succeed(false)
      })
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Worker.layer("test", step, 1_000), scope)
      for (let second = 0; second < 10; second++) yield* TestClock.adjust("1 second")
      assert.isAbove(runs, 4)
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(quiet)),
  )

  it.effect("is back as soon as it must after failures, however many there were", () =>
    Effect.gen(function* () {
      let down = true
      let since = 0
      const step = Effect.suspend(() => {
        if (down) return Effect.fail(new Broken("away"))
        since++
        return Effect.succeed(false)
      })
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Worker.layer("test", step, 500, 1_000), scope)
      for (let second = 0; second < 120; second++) yield* TestClock.adjust("1 second")
      down = false
      yield* TestClock.adjust("1 second")
      assert.isAtLeast(since, 1)
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(quiet)),
  )

  it.effect("ends when it is closed in the middle of a step that does not finish", () =>
    Effect.gen(function* () {
      let begun = 0
      const step = Effect.suspend(() => {
        begun++
        return Effect.never
      })
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Worker.layer("test", step, 1_000), scope)
      yield* TestClock.adjust("1 second")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("21 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual(begun, 1)
    }).pipe(Effect.provide(quiet)),
  )

  it.effect("finishes what it holds when it is closed, and takes nothing more", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const finish = yield* Deferred.make<void>()
      let begun = 0
      let finished = 0
      const step = Effect.gen(function* () {
        begun++
        yield* Deferred.succeed(started, undefined)
        yield* Deferred.await(finish)
        finished++
        return true
      })
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Worker.layer("test", step, 1_000), scope)
      yield* Deferred.await(started)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* Effect.yieldNow
      yield* Deferred.succeed(finish, undefined)
      yield* Fiber.join(closing)
      assert.deepStrictEqual({ begun, finished }, { begun: 1, finished: 1 })
    }).pipe(Effect.provide(quiet)),
  )
})
