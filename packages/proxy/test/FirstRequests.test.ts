/** What a customer meets whom this proxy has not seen yet, as all are after a restart. */
import { Allowance } from "@berth/domain/Allowance"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as World from "./World.ts"

/** A store that takes a while to tell whose a token is, and counts how often it is asked. */
const slow = (asked: { times: number }) =>
  Layer.provideMerge(
    Layer.effect(
      Allowance,
      Effect.map(Allowance, (memory) => ({
        ...memory,
        customerOf: (hash: string) =>
          Effect.suspend(() => {
            asked.times++
            return Effect.delay(memory.customerOf(hash), "300 millis")
          }),
      })),
    ),
    Layer.fresh(World.memory),
  )

describe("the first requests of a customer", () => {
  it.live("are all served, however many come at once, and cost one look-up; one that leaves ends it for nobody", () =>
    Effect.gen(function* () {
      const alice = World.customer("first-alice")
      const asked = { times: 0 }
      const world = yield* World.start({ customers: [alice], allowance: slow(asked) })
      const controller = new AbortController()
      const leaving = World.post(world, alice.token, World.chatBody(), { signal: controller.signal }).catch(
        () => "gone",
      )
      while (asked.times === 0) yield* Effect.sleep(5)
      const rest = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 40 }, () => World.chat(world, alice.token)),
          { concurrency: "unbounded" },
        ),
      )
      yield* Effect.sleep(50)
      controller.abort()
      assert.strictEqual(yield* Effect.promise(() => leaving), "gone")
      const answers = yield* Fiber.join(rest)
      for (const { status } of answers) assert.strictEqual(status, 200)
      assert.strictEqual(asked.times, 1)
    }),
  )
})
