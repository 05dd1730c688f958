/** What is learnt of prompts, on a clock that the test moves; and through a proxy whose upstream counts with a real tokenizer. */
import { Calibrations } from "@berth/domain/Calibration"
import { StoreUnavailable } from "@berth/domain/Errors"
import { CustomerId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { profileOf } from "../src/ByteClasses.ts"
import { Calibration } from "../src/Calibration.ts"
import { type Calibrated, estimateOf } from "../src/PromptBound.ts"
import { randomOf } from "./texts/Random.ts"
import { textOf } from "./texts/Kinds.ts"
import { requestsOf } from "./texts/Requests.ts"
import { promptTokensOf, tokenizers } from "./texts/Tokenizers.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const ada = CustomerId.make("ada")
const model = "kimi-k2.6" as const
const profile = profileOf(Buffer.from("The agent reads the newest mails every morning. ".repeat(40)))
const safe = estimateOf(profile).bound

/** One store for several processes, which counts what it is asked and can be away. */
const makeStore = Effect.gen(function* () {
  const kept = yield* Layer.build(Layer.fresh(Calibrations.layerMemory))
  const store = { away: false, looked: 0, learnt: 0 }
  // Never answers within the call, as no store across a network does.
  const unlessAway = <A>(effect: Effect.Effect<A, StoreUnavailable>) =>
    Effect.andThen(
      Effect.yieldNow,
      Effect.suspend(() =>
        store.away
          ? Effect.fail(new StoreUnavailable({ store: "redis", operation: "Calibrations", cause: "away" }))
          : effect,
      ),
    )
  const calibrations = yield* Calibrations.pipe(Effect.provideContext(kept))
  const layer = Layer.succeed(Calibrations)({
    of: (customerId) => {
      store.looked++
      return unlessAway(calibrations.of(customerId))
    },
    learn: (customerId, model, learnt) => {
      store.learnt++
      return unlessAway(calibrations.learn(customerId, model, learnt))
    },
  })
  return {
    store,
    process: Effect.map(Layer.build(Layer.fresh(Calibration.layer).pipe(Layer.provide(layer))), (context) =>
      Effect.runSync(Calibration.pipe(Effect.provideContext(context))),
    ),
  }
})

const learn = (calibration: Calibration["Service"], times: number) => {
  for (let time = 0; time < times; time++) calibration.learn(ada, model, profile, 400)
}
const boundBy = (known: Calibrated | undefined) => estimateOf(profile, known).bound

describe("what is learnt of a customer's prompts", () => {
  it.effect("holds here at once, for others within seconds, and outlives them all", () =>
    Effect.gen(function* () {
      const { store, process } = yield* makeStore
      yield* Effect.scoped(
        Effect.gen(function* () {
          const [one, other] = [yield* process, yield* process]
          assert.strictEqual(boundBy(one.of(ada, model)), safe)
          assert.isUndefined(other.of(ada, model))
          learn(one, 20)
          assert.isBelow(boundBy(one.of(ada, model)), safe)
          assert.strictEqual(store.learnt, 0, "nothing goes out while a request waits")
          yield* TestClock.adjust("5 seconds")
          assert.strictEqual(store.learnt, 1, "twenty lessons are one message")
          yield* TestClock.adjust("11 minutes")
          other.of(ada, model)
          yield* TestClock.adjust("1 millis")
          assert.strictEqual(boundBy(other.of(ada, model)), boundBy(one.of(ada, model)))
        }),
      )
      const next = yield* process
      assert.isUndefined(next.of(ada, model), "its first request does not wait for the store")
      yield* TestClock.adjust("1 millis")
      assert.isBelow(boundBy(next.of(ada, model)), safe)
      assert.isUndefined(next.of(ada, "kimi-k2.7-code"))
      assert.isUndefined(next.of(CustomerId.make("bob"), model))
    }),
  )

  it.effect("goes out at a shutdown", () =>
    Effect.gen(function* () {
      const { store, process } = yield* makeStore
      yield* Effect.scoped(Effect.map(process, (calibration) => learn(calibration, 3)))
      assert.strictEqual(store.learnt, 1)
    }),
  )

  it.effect("is looked up once, not with every request", () =>
    Effect.gen(function* () {
      const { store, process } = yield* makeStore
      const calibration = yield* process
      for (let request = 0; request < 100; request++) {
        calibration.of(ada, model)
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(store.looked, 1)
    }),
  )

  it.effect("is safe without the store, and goes out when the store is back", () =>
    Effect.gen(function* () {
      const { store, process } = yield* makeStore
      const calibration = yield* process
      store.away = true
      assert.strictEqual(boundBy(calibration.of(ada, model)), safe)
      yield* TestClock.adjust("10 seconds")
      learn(calibration, 10)
      yield* TestClock.adjust("10 seconds")
      learn(calibration, 10)
      const here = boundBy(calibration.of(ada, model))
      assert.isBelow(here, safe)
      yield* TestClock.adjust("10 seconds")
      store.away = false
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(boundBy(calibration.of(ada, model)), here)
      const other = yield* process
      other.of(ada, model)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(other.of(ada, model)?.mixes[0]?.count, 20)
    }),
  )
})

/** An upstream that counts as Kimi would, if its vocabulary were DeepSeek's. */
const counting: Stub.Behaviour = (received, response) =>
  Stub.either({ prompt: promptTokensOf(received.body, tokenizers.deepseek), completion })(received, response)
const completion = 7

/** The prompt's bound of an answered request, and how many tokens it really had. */
const boundOf = Effect.fnUntraced(function* (world: World.World, customer: World.Customer, body: object) {
  const answer = yield* World.chat(world, customer.token, body)
  assert.strictEqual(answer.status, 200, answer.text)
  const header = (name: string) => Number(answer.headers.get(name))
  return {
    bound: header("x-berth-hold-tokens") - header("x-berth-completion-limit"),
    truth: answer.json().usage.prompt_tokens,
  }
})

const sumOf = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0)
const bytesOf = (body: object) => Buffer.from(JSON.stringify(body))

describe("a customer's prompts at the proxy", () => {
  const requests = requestsOf("Chinese", "unseen", 16)

  it.live(
    "are bound closer as they are counted, never too low, and at once so by the next process",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("calibrated", { plan: 50_000_000, tier: "team" })
        const shared = yield* Layer.build(Layer.fresh(Calibrations.layerMemory))
        const start = World.start({
          customers: [alice],
          behaviour: counting,
          calibrations: Layer.succeedContext(shared),
        })
        const over: Array<number> = []
        yield* Effect.scoped(
          Effect.gen(function* () {
            const world = yield* start
            for (const body of requests) {
              const { bound, truth } = yield* boundOf(world, alice, body)
              assert.isAtLeast(bound, truth)
              over.push(bound / truth)
            }
            yield* world.settled(alice)
          }),
        )
        const first = over[0] ?? 0
        const last = Math.max(...over.slice(-4))
        assert.isBelow(last - 1, (first - 1) * 0.8)

        const world = yield* start
        const small = { model, messages: [{ role: "user", content: "Hi" }], max_completion_tokens: 10 }
        yield* boundOf(world, alice, small)
        const again = yield* boundOf(world, alice, requests[3] ?? {})
        assert.isBelow(again.bound / again.truth - 1, (first - 1) * 0.8)
        // What it never sent is as safe as ever.
        const random = randomOf(5)
        for (const kind of ["base64", "English", "random letters", "hex", "emoji"] as const) {
          const content = textOf(kind, random, "unseen", 3_000)
          const body = { ...small, messages: [{ role: "user", content }] }
          const { bound, truth } = yield* boundOf(world, alice, body)
          assert.isAtLeast(bound, truth, kind)
        }
      }),
    60_000,
  )

  it.live(
    "of five kinds are bound by what was learnt, exceeded by under 2% of what was never seen, and settled at the count",
    () =>
      Effect.gen(function* () {
        const kinds = ["English", "Chinese", "code", "JSON", "base64"] as const
        const customers = kinds.map((kind) => World.customer(`sends-${kind.toLowerCase()}`, { plan: 50_000_000 }))
        const world = yield* World.start({ customers, behaviour: counting })
        for (const [index, kind] of kinds.entries()) {
          const who = customers[index] as World.Customer
          const send = (bodies: ReadonlyArray<object>) =>
            Effect.forEach(bodies, (body) => boundOf(world, who, body), { concurrency: 4 })
          const learnt = yield* send(requestsOf(kind, "learnt", 20, 2_500))
          const unseenBodies = requestsOf(kind, "unseen", 60, 2_500)
          const unseen = yield* send(unseenBodies)
          const exceeded = unseen.filter(({ bound, truth }) => truth > bound).length
          assert.isBelow(exceeded / unseen.length, 0.02, kind)
          const unlearnt = sumOf(unseenBodies.map((body) => estimateOf(profileOf(bytesOf(body))).bound))
          assert.isBelow(sumOf(unseen.map(({ bound }) => bound)), unlearnt, `${kind} is bound closer`)
          const charge = sumOf([...learnt, ...unseen].map(({ truth }) => truth + completion))
          assert.strictEqual((yield* world.settled(who)).used, charge, kind)
        }
        const settled = (yield* world.events).filter((one) => one._tag === "usage" && !one.estimated)
        assert.strictEqual(settled.length, kinds.length * 80)
      }),
    60_000,
  )

  it.live("teach nothing when nobody counted them, or when pictures were among them", () =>
    Effect.gen(function* () {
      const alice = World.customer("unteachable", { plan: 5_000_000 })
      const silent: Stub.Behaviour = (_received, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.end(Stub.role + Stub.word(1) + Stub.finished + Stub.done)
      }
      const store = yield* Layer.build(Layer.fresh(Calibrations.layerMemory))
      const learntBy = (behaviour: Stub.Behaviour, body: object) =>
        Effect.scoped(
          Effect.gen(function* () {
            const world = yield* World.start({
              customers: [alice],
              behaviour,
              calibrations: Layer.succeedContext(store),
            })
            yield* World.chat(world, alice.token, body)
            yield* world.settled(alice)
          }),
        ).pipe(
          // The shutdown has sent out what there was.
          Effect.andThen(Calibrations.use((calibrations) => calibrations.of(alice.customerId))),
          Effect.provideContext(store),
          Effect.map((states) => states.size),
        )
      const url = "data:image/png;base64,iVBORw0KGgo"
      const picture = [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }]
      const counted = Stub.either({ prompt: 3_000, completion: 5 })
      assert.strictEqual(yield* learntBy(silent, World.chatBody({ stream: true })), 0)
      assert.strictEqual(yield* learntBy(counted, World.chatBody({ messages: picture })), 0)
      assert.strictEqual(yield* learntBy(counted, World.chatBody()), 1)
    }),
  )
})
