import { Allowance } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { StoreUnavailable } from "@berth/domain/Errors"
import { RequestId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { Admission } from "../src/Admission.ts"
import { Settings } from "../src/Settings.ts"
import { Settlement } from "../src/Settlement.ts"
import * as AtTheEdge from "./AtTheEdge.ts"
import * as World from "./World.ts"

describe("admission on an allowance in memory", () => {
  AtTheEdge.suite(() => Layer.fresh(World.memory))
})

const chat = { model: "kimi-k2.6", background: false }

/** A store that takes a second to answer. */
const slow = Layer.provideMerge(
  Layer.effect(
    Allowance,
    Effect.map(Allowance, (memory) => ({
      ...memory,
      admit: (ask: Parameters<typeof memory.admit>[0]) => Effect.delay(memory.admit(ask), "1 second"),
    })),
  ),
  Layer.fresh(World.memory),
)

/** A store that does what it is asked, but whose answers to admissions are lost. */
const unheard = Layer.provideMerge(
  Layer.effect(
    Allowance,
    Effect.map(Allowance, (memory) => ({
      ...memory,
      admit: (ask: Parameters<typeof memory.admit>[0]) =>
        Effect.andThen(
          memory.admit(ask),
          Effect.fail(new StoreUnavailable({ store: "redis", operation: "admit", cause: "timed out" })),
        ),
    })),
  ),
  Layer.fresh(World.memory),
)

describe("an admission whose answer is lost", () => {
  it.effect("is refused and leaves no hold behind once the store answers again", () => {
    const alice = World.customer("alice")
    const caller = {
      customerId: alice.customerId,
      tokenHash: alice.snapshot.terms.tokens[0] ?? "",
      tier: "pro" as const,
    }
    return Effect.gen(function* () {
      const allowance = yield* Allowance
      const admission = yield* Admission
      const held = Effect.map(allowance.view(alice.customerId), (view) => Option.getOrThrow(view).held)
      yield* allowance.rebuild(alice.snapshot)
      const asking = {
        caller,
        requestId: RequestId.make("lost"),
        ...chat,
        prompt: 100,
        completion: 2_000,
        floor: 1_024,
      }
      const refusal = yield* Effect.flip(admission.admit(asking))
      assert.strictEqual(refusal._tag, "StoreUnavailable")
      assert.strictEqual(yield* held, 2_100)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* held, 0)
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          Admission.layer,
          Layer.provideMerge(
            Settlement.layer,
            Layer.mergeAll(unheard, Settings.layerOf({}), AllowanceSource.layerMemory([alice.snapshot])),
          ),
        ),
      ),
    )
  })
})

describe("a client that leaves while the store is just admitting it", () => {
  it.effect("gets its hold given back", () => {
    const alice = World.customer("alice", { plan: 3_000 })
    const caller = {
      customerId: alice.customerId,
      tokenHash: alice.snapshot.terms.tokens[0] ?? "",
      tier: "pro" as const,
    }
    const asking = (name: string) => ({
      caller,
      requestId: RequestId.make(name),
      ...chat,
      prompt: 100,
      completion: 2_000,
      floor: 1_024,
    })
    return Effect.gen(function* () {
      const allowance = yield* Allowance
      const admission = yield* Admission
      const settlement = yield* Settlement
      const held = Effect.map(allowance.view(alice.customerId), (view) => Option.getOrThrow(view).held)
      yield* allowance.rebuild(alice.snapshot)

      const first = yield* Effect.forkChild(admission.admit(asking("first")))
      yield* TestClock.adjust("1 second")
      const { hold } = yield* Fiber.join(first)
      const second = yield* Effect.forkChild(admission.admit(asking("second")))
      // Told to wait, and asked for again; that question is under way when the first hold goes and the client leaves.
      yield* TestClock.adjust("1500 millis")
      yield* settlement.giveBack(hold)
      assert.strictEqual(yield* held, 0)
      yield* Fiber.interrupt(second)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* held, 0)
      assert.strictEqual(settlement.open(), 0)
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          Admission.layer,
          Layer.provideMerge(
            Settlement.layer,
            Layer.mergeAll(slow, Settings.layerOf({}), AllowanceSource.layerMemory([alice.snapshot])),
          ),
        ),
      ),
    )
  })
})

describe("a background turn that waits for room under its own cap", () => {
  it.effect("keeps nobody waiting who has room", () => {
    const alice = World.customer("alice", { plan: 10_000, backgroundCap: 1_500 })
    const caller = {
      customerId: alice.customerId,
      tokenHash: alice.snapshot.terms.tokens[0] ?? "",
      tier: "pro" as const,
    }
    const asking = (name: string, completion: number, background: boolean) => ({
      caller,
      requestId: RequestId.make(name),
      model: "kimi-k2.6",
      background,
      prompt: 100,
      completion,
      floor: 1_024,
    })
    return Effect.gen(function* () {
      const admission = yield* Admission
      const settlement = yield* Settlement
      yield* Allowance.use((allowance) => allowance.rebuild(alice.snapshot))
      yield* admission.admit(asking("heartbeat", 1_400, true))
      const { hold } = yield* admission.admit(asking("long", 7_900, false))
      const heartbeat = yield* Effect.forkChild(Effect.flip(admission.admit(asking("another heartbeat", 1_400, true))))
      const user = yield* Effect.forkChild(admission.admit(asking("user", 1_400, false)))
      yield* TestClock.adjust("1 second")
      yield* settlement.giveBack(hold)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(user.pollUnsafe()?._tag, "Success", "there is room for the user")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(heartbeat))._tag, "RateLimited")
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          Admission.layer,
          Layer.provideMerge(
            Settlement.layer,
            Layer.mergeAll(
              Layer.fresh(World.memory),
              Settings.layerOf({}),
              AllowanceSource.layerMemory([alice.snapshot]),
            ),
          ),
        ),
      ),
    )
  })
})
