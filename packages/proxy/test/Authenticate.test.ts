/** Made-up tokens cost the stores little, and nobody who has one is refused for another's. */
import { Allowance } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { StoreUnavailable } from "@berth/domain/Errors"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { Authenticate, type Caller } from "../src/Authenticate.ts"
import { burst, refillMillis } from "../src/BadTokens.ts"
import * as World from "./World.ts"

const here = () => ({ client: "203.0.113.1", peer: "203.0.113.1" })
const bearer = (token: string) => `Bearer ${token}`
/** Well-formed, and nobody's. */
const madeUp = (index: number) => bearer(World.customer(`nobody-${index}`).token)

/** Authentication before stores that count what they are asked and know `customers`; more can be added. */
const start = (...customers: ReadonlyArray<World.Customer>) =>
  Effect.gen(function* () {
    const known = new Map(customers.map((one) => [one.snapshot.terms.tokens[0], one]))
    const state = { asked: 0, down: false, delay: 0 }
    const counting = <A>(answer: () => A) =>
      Effect.gen(function* () {
        state.asked++
        if (state.delay > 0) yield* Effect.sleep(state.delay)
        if (state.down) return yield* new StoreUnavailable({ store: "redis", operation: "test", cause: "down" })
        return answer()
      })
    const customerOf = (hash: string) => counting(() => Option.fromUndefinedOr(known.get(hash)?.customerId))
    const allowance = Layer.effect(
      Allowance,
      Effect.map(Allowance, (memory) => ({ ...memory, customerOf })),
    ).pipe(Layer.provide(Layer.fresh(World.memory)))
    const source = Layer.effect(
      AllowanceSource,
      Effect.map(AllowanceSource, (memory) => ({
        ...memory,
        customerOf,
        snapshot: (id: string) =>
          counting(() => Option.fromUndefinedOr([...known.values()].find((one) => one.customerId === id)?.snapshot)),
      })),
    ).pipe(Layer.provide(AllowanceSource.layerMemory([])))
    const context = yield* Layer.build(Authenticate.layer.pipe(Layer.provide(Layer.mergeAll(allowance, source))))
    const caller = (authorization: string, origin = here): Effect.Effect<Caller | string> =>
      Effect.flatMap(Authenticate, (authenticate) => authenticate.caller(authorization, origin)).pipe(
        Effect.catch((error) => Effect.succeed(error._tag)),
        Effect.provideContext(context),
      )
    return { state, caller, add: (one: World.Customer) => known.set(one.snapshot.terms.tokens[0], one) }
  })

describe("an unknown token", () => {
  it.effect("is looked up, and the same again costs nothing for a moment", () =>
    Effect.gen(function* () {
      const { state, caller } = yield* start()
      const token = madeUp(1)
      assert.strictEqual(yield* caller(token), "InvalidToken")
      const once = state.asked
      assert.isAbove(once, 0)
      for (let i = 0; i < 1_000; i++) assert.strictEqual(yield* caller(token), "InvalidToken")
      assert.strictEqual(state.asked, once)
      yield* TestClock.adjust(2_000)
      yield* caller(token)
      assert.strictEqual(state.asked, 2 * once)
    }),
  )

  it.effect("in a flood is looked up for some, and refused for all others", () =>
    Effect.gen(function* () {
      const { state, caller } = yield* start()
      state.delay = 100
      const tokens = Array.from({ length: 1_000 }, (_, i) => madeUp(i))
      const fiber = yield* Effect.forkChild(Effect.forEach(tokens, (one) => caller(one), { concurrency: "unbounded" }))
      yield* TestClock.adjust(10_000)
      const answers = yield* Fiber.join(fiber)
      // Those under way before any was known to be bad, and the burst; each asks both stores.
      const looked = answers.filter((one) => one === "InvalidToken").length
      assert.isAtMost(looked, 50 + burst)
      assert.strictEqual(answers.filter((one) => one === "TooManyBadTokens").length, 1_000 - looked)
      assert.strictEqual(state.asked, 2 * looked)
    }),
  )

  it.effect("beyond the burst of its address is refused without a look-up, until that refills", () =>
    Effect.gen(function* () {
      const { state, caller } = yield* start()
      for (let i = 0; i < burst; i++) assert.strictEqual(yield* caller(madeUp(i)), "InvalidToken")
      const asked = state.asked
      assert.strictEqual(yield* caller(madeUp(1_000)), "TooManyBadTokens")
      assert.strictEqual(state.asked, asked)
      yield* TestClock.adjust(refillMillis)
      assert.strictEqual(yield* caller(madeUp(1_001)), "InvalidToken")
      assert.strictEqual(yield* caller(madeUp(1_002)), "TooManyBadTokens")
      assert.strictEqual(yield* caller(madeUp(1_003), () => ({ client: "b", peer: "b" })), "InvalidToken")
    }),
  )

  it.effect("from ever new addresses behind one peer is bounded by the peer's share", () =>
    Effect.gen(function* () {
      const { caller } = yield* start()
      let looked = 0
      for (let i = 0; i < 400; i++) {
        if ((yield* caller(madeUp(i), () => ({ client: `made-up-${i}`, peer: "pod" }))) === "InvalidToken") looked++
      }
      assert.strictEqual(looked, 10 * burst)
    }),
  )

  it.effect("whose client left before its turn costs nothing more, and keeps nobody waiting", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const { state, caller } = yield* start(alice)
      state.delay = 1_000
      const tokens = Array.from({ length: 1_000 }, (_, i) => madeUp(i))
      const flood = yield* Effect.forkChild(Effect.forEach(tokens, (one) => caller(one), { concurrency: "unbounded" }))
      yield* TestClock.adjust(1)
      assert.strictEqual(state.asked, 50)
      yield* Fiber.interrupt(flood)
      const good = yield* Effect.forkChild(caller(bearer(alice.token)))
      state.down = true
      yield* TestClock.adjust(1_000)
      state.down = false
      // Those that were asked about already have failed; the next is whoever still waits.
      assert.strictEqual(state.asked, 51)
      yield* TestClock.adjust(3_000)
      assert.isObject(yield* Fiber.join(good))
    }),
  )
})

describe("a good token", () => {
  it.effect("that is known is never refused for what its address did, and asks no store", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const { state, caller } = yield* start(alice)
      assert.isObject(yield* caller(bearer(alice.token)))
      for (let i = 0; i < burst; i++) yield* caller(madeUp(i))
      assert.strictEqual(yield* caller(madeUp(99)), "TooManyBadTokens")
      const asked = state.asked
      assert.isObject(yield* caller(bearer(alice.token)))
      assert.strictEqual(state.asked, asked)
    }),
  )

  it.effect("that was just minted works at once", () =>
    Effect.gen(function* () {
      const { caller, add } = yield* start()
      for (let i = 0; i < burst - 1; i++) yield* caller(madeUp(i))
      const alice = World.customer("alice")
      add(alice)
      assert.isObject(yield* caller(bearer(alice.token)))
    }),
  )

  it.effect("of each of a thousand customers at one address works at the first try, all at once, after a restart", () =>
    Effect.gen(function* () {
      const customers = Array.from({ length: 1_000 }, (_, i) => World.customer(`customer-${i}`))
      const { state, caller } = yield* start(...customers)
      state.delay = 10
      const all = Effect.forEach(customers, (one) => caller(bearer(one.token)), { concurrency: "unbounded" })
      const fiber = yield* Effect.forkChild(all)
      yield* TestClock.adjust(60_000)
      for (const answer of yield* Fiber.join(fiber)) assert.isObject(answer)
    }),
  )

  it.effect("is no bad one for a store that is away", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const { state, caller } = yield* start(alice)
      state.down = true
      for (let i = 0; i < 10 * burst; i++) assert.strictEqual(yield* caller(bearer(alice.token)), "StoreUnavailable")
      state.down = false
      assert.isObject(yield* caller(bearer(alice.token)))
    }),
  )
})

describe("what can be no token", () => {
  it.effect("asks no store, however often it comes, and is told what it looks like", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const { state, caller } = yield* start(alice)
      for (const [authorization, tag] of [
        ["", "InvalidToken"],
        [alice.token, "InvalidToken"],
        ["Basic YTpi", "InvalidToken"],
        ["Bearer", "InvalidToken"],
        ["Bearer ", "InvalidToken"],
        ["Bearer hello", "InvalidToken"],
        [`Bearer ${alice.token}x`, "TokenMistyped"],
        [`Bearer ${alice.token.slice(0, -1)}`, "TokenMistyped"],
        [`Bearer ${alice.token} ${alice.token}`, "TokenMistyped"],
        [`Bearer bth_${"é".repeat(49)}`, "TokenMistyped"],
        ["Bearer sk-abc", "ForeignKey"],
        ["Bearer sk-kimi-abc", "ForeignKey"],
        [`Bearer ${"a".repeat(10_000)}`, "InvalidToken"],
      ] as const) {
        for (let i = 0; i < 2 * burst; i++) assert.strictEqual(yield* caller(authorization), tag, authorization)
      }
      assert.strictEqual(state.asked, 0)
      // The scheme in any case, and space around the token.
      for (const authorization of [`bearer ${alice.token}`, `BEARER  ${alice.token} `]) {
        assert.isObject(yield* caller(authorization))
      }
    }),
  )
})
