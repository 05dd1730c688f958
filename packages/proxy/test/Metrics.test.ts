/** What the proxy counts for its operators, each number beside what really happened. */
import { once } from "node:events"
import { connect } from "node:net"
import { Allowance } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { Calibrations } from "@berth/domain/Calibration"
import { freePorts } from "@berth/domain/testing/FreePorts"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { TestClock } from "effect/testing"
import { Kimi } from "../src/Kimi.ts"
import * as Metrics from "../src/Metrics.ts"
import * as Proxy from "../src/Proxy.ts"
import { Settings } from "../src/Settings.ts"
import { Settlement } from "../src/Settlement.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const counted = (metric: typeof Metrics.tokens, by: Readonly<Record<string, string>> = {}) =>
  Effect.map(Metric.value(Metric.withAttributes(metric, by)), (state) => Number(state.count))
const gauged = (metric: typeof Metrics.openHolds) => Effect.map(Metric.value(metric), (state) => Number(state.value))

/** Every test counts from nothing. */
const afresh = Effect.provideService(Metric.MetricRegistry, new Map())

describe("what is counted of calls", () => {
  it.live("is their tokens by kind and model, and which of them were estimated", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice", { tier: "team" })
      const usage = {
        ...Stub.usageJson({ prompt: 300, completion: 40, cached: 60 }),
        completion_tokens_details: { reasoning_tokens: 25 },
      }
      const script = { now: Stub.sending([Stub.word(0), Stub.counted.inChoice(usage), Stub.done]) }
      const world = yield* World.start({
        customers: [alice],
        behaviour: (received, response) => script.now(received, response),
      })
      const ask = (model: string) =>
        Effect.andThen(World.chat(world, alice.token, World.chatBody({ model, stream: true })), world.settled(alice))
      const tokens = (model: string) =>
        Effect.forEach(["prompt", "cached", "completion", "reasoning"], (kind) =>
          counted(Metrics.tokens, { kind, model }),
        )
      yield* ask("kimi-k2.6")
      yield* ask("kimi-k2.6")
      yield* ask("kimi-k2.7-code")
      assert.deepStrictEqual(yield* tokens("kimi-k2.6"), [600, 120, 80, 50])
      assert.deepStrictEqual(yield* tokens("kimi-k2.7-code"), [300, 60, 40, 25])
      assert.strictEqual(yield* counted(Metrics.estimated), 0)

      script.now = Stub.sending([Stub.word(0), Stub.word(1)])
      const { used } = yield* ask("kimi-k2.7-code")
      const [prompt = 0, cached, completion = 0] = yield* tokens("kimi-k2.7-code")
      assert.strictEqual(cached, 60)
      // Three calls were charged 240 + 10 + 40 tokens each.
      assert.strictEqual(prompt - 300 + (completion - 40), used - 3 * 290)
      assert.strictEqual(yield* counted(Metrics.estimated), 1)
    }).pipe(afresh),
  )

  it.live("is each token that nobody has, by what is wrong with it, and no other", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const stranger = World.customer("stranger")
      const world = yield* World.start({ customers: [alice] })
      const mistyped = `${alice.token.slice(0, -1)}${alice.token.endsWith("0") ? "1" : "0"}`
      for (const token of [alice.token, stranger.token, mistyped, mistyped, "sk-proj-1"])
        yield* World.chat(world, token)
      const bad = (reason: string) => counted(Metrics.badTokens, { reason })
      assert.strictEqual(yield* bad("InvalidToken"), 1)
      assert.strictEqual(yield* bad("TokenMistyped"), 2)
      assert.strictEqual(yield* bad("ForeignKey"), 1)
    }).pipe(afresh),
  )

  it.live("is each connection that was dropped because its address had too many", () =>
    Effect.gen(function* () {
      const [port = 0] = yield* Effect.promise(() => freePorts(1))
      const variables = { PROXY_PORT: String(port), PROXY_CONNECTIONS: "4" }
      const stores = Layer.mergeAll(World.memory, Calibrations.layerMemory, AllowanceSource.layerMemory([]))
      const upstream = Layer.succeed(Kimi)({ dispatch: () => {}, balance: Effect.never })
      yield* Layer.build(
        Layer.fresh(Proxy.layer).pipe(
          Layer.provide([stores, upstream, Settings.layerOf({})]),
          Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(variables))),
        ),
      )
      const open = Effect.acquireRelease(
        Effect.promise(async () => {
          const socket = connect(port, "127.0.0.1")
          await once(socket, "connect")
          return socket
        }),
        (socket) => Effect.sync(() => socket.destroy()),
      )
      yield* open
      for (const socket of [yield* open, yield* open]) {
        socket.resume()
        if (!socket.closed) yield* Effect.promise(() => once(socket, "close"))
      }
      assert.strictEqual(yield* counted(Metrics.droppedConnections), 2)
    }).pipe(afresh),
  )
})

describe("what is counted of holds", () => {
  const layer = Layer.provideMerge(Settlement.layer, Layer.merge(Layer.fresh(World.memory), Settings.layerOf({})))

  it.effect("is how many are open here, how many were lost with another process, and for how long usage waits", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const allowance = yield* Allowance
      const settlement = yield* Settlement
      yield* allowance.rebuild(alice.snapshot)
      const hold = Effect.fnUntraced(function* (name: string) {
        const admission = yield* allowance.admit(World.asks(alice, name))
        return admission._tag === "Admitted" ? admission.hold : yield* Effect.die(admission._tag)
      })
      const [first, second] = [yield* hold("first"), yield* hold("second")]
      for (const one of [first, second]) settlement.opened(one)
      for (const orphan of ["orphan", "other orphan", "third orphan"]) yield* hold(orphan)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* gauged(Metrics.openHolds), 2)
      assert.strictEqual(yield* gauged(Metrics.recordingLag), 0)
      assert.strictEqual(yield* counted(Metrics.lost), 0)

      const usage = { prompt: 10, cached: 0, completion: 5, reasoning: 0 }
      yield* settlement.settle({ hold: first, model: "kimi-k2.6", usage, estimated: false, traceId: "" })
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* gauged(Metrics.openHolds), 1)
      assert.strictEqual(yield* gauged(Metrics.recordingLag), 30)

      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* counted(Metrics.lost), 3)
      assert.strictEqual(yield* gauged(Metrics.openHolds), 1)
    }).pipe(Effect.provide(layer), afresh),
  )
})
