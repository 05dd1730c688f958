/** What every `JobQueue` promises. Each test builds the layer anew and expects an empty store. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { JobQueue, mostDead } from "../../JobQueue.ts"

export const jobQueueContract = (name: string, layer: Layer.Layer<JobQueue, unknown>) =>
  describe(`JobQueue on ${name}`, () => {
    const test = <E>(title: string, body: Effect.Effect<void, E, JobQueue>): void =>
      it.effect(title, () => body.pipe(Effect.provide(Layer.fresh(layer))))
    const take = JobQueue.use((queue) => Effect.map(queue.take, Option.getOrUndefined))

    test(
      "gives jobs out first in, first out, each to one taker",
      Effect.gen(function* () {
        const queue = yield* JobQueue
        for (const job of ["1", "2", "3"]) yield* queue.push(job)
        assert.strictEqual(yield* take, "1")
        const both = yield* Effect.all([take, take], { concurrency: 2 })
        assert.deepStrictEqual([...both].sort(), ["2", "3"])
        assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 3, dead: 0 })
        yield* queue.acknowledge("2")
        assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 2, dead: 0 })
      }),
    )

    test(
      "waits about a second for a job and then says that there is none",
      Effect.gen(function* () {
        const waiter = yield* Effect.forkChild(take, { startImmediately: true })
        yield* TestClock.adjust("1 second")
        assert.isUndefined(yield* Fiber.join(waiter))
      }),
    )

    test(
      "wakes a waiting taker when a job comes",
      Effect.gen(function* () {
        const queue = yield* JobQueue
        const waiter = yield* Effect.forkChild(take, { startImmediately: true })
        yield* queue.push("1")
        assert.strictEqual(yield* Fiber.join(waiter), "1")
      }),
    )

    test(
      "loses nothing when its taker dies before it acknowledges, and keeps the order",
      Effect.gen(function* () {
        const queue = yield* JobQueue
        for (const job of ["1", "2", "3", "4"]) yield* queue.push(job)
        yield* take
        yield* take
        yield* take
        yield* queue.acknowledge("2")
        // A new leader comes.
        assert.strictEqual(yield* queue.returnTaken, 2)
        assert.strictEqual(yield* queue.returnTaken, 0)
        const again = [yield* take, yield* take, yield* take]
        assert.deepStrictEqual(again, ["1", "3", "4"])
        assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 3, dead: 0 })
      }),
    )

    test(
      "buries a taken job for good, once",
      Effect.gen(function* () {
        const queue = yield* JobQueue
        yield* queue.push("not a job")
        yield* take
        yield* queue.bury("not a job", "it is no JSON")
        yield* queue.bury("not a job", "it is no JSON")
        assert.strictEqual(yield* queue.returnTaken, 0)
        assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 0, dead: 1 })
      }),
    )

    test(
      "keeps no more than the newest of the dead",
      Effect.gen(function* () {
        const queue = yield* JobQueue
        for (let number = 0; number < mostDead + 2; number++) {
          yield* queue.push(`${number}`)
          yield* take
          yield* queue.bury(`${number}`, "it is no job")
        }
        assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 0, dead: mostDead })
      }),
    )

    test(
      "keeps equal jobs apart",
      Effect.gen(function* () {
        const queue = yield* JobQueue
        yield* queue.push("same")
        yield* queue.push("same")
        yield* take
        yield* take
        yield* queue.acknowledge("same")
        assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 1, dead: 0 })
      }),
    )
  })
