/** When requests for a model are kept from an overloaded engine: the rule on its own, and through the proxy. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as fc from "fast-check"
import * as Circuit from "../src/Circuit.ts"
import * as Metrics from "../src/Metrics.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const second = 1_000

/** As many overloads as open it, at `now`. */
const opened = (now: number): Circuit.Circuit => {
  let circuit = Circuit.closed(now)
  for (let times = 0; times < 5; times++) circuit = Circuit.overloaded(circuit, "through", now)
  return circuit
}

describe("a model's circuit", () => {
  it("opens at five overloads within half a minute, unless more requests were answered", () => {
    assert.strictEqual(opened(0)._tag, "Open")
    let mostlyFine = Circuit.closed(0)
    for (let times = 0; times < 20; times++) {
      mostlyFine = Circuit.answered(Circuit.answered(mostlyFine, "through", times), "through", times)
      mostlyFine = Circuit.overloaded(mostlyFine, "through", times)
    }
    assert.strictEqual(mostlyFine._tag, "Closed")
    let rare = Circuit.closed(0)
    for (let times = 0; times < 20; times++) rare = Circuit.overloaded(rare, "through", times * 10 * second)
    assert.strictEqual(rare._tag, "Closed")
  })

  it("lets one through when its time is over, closes when that is answered, and stays open twice as long when not", () => {
    let circuit = opened(0)
    assert.strictEqual(Circuit.admit(circuit, 4 * second)[0], "refused")
    const [probe, probing] = Circuit.admit(circuit, 5 * second)
    assert.strictEqual(probe, "probe")
    assert.strictEqual(Circuit.admit(probing, 6 * second)[0], "refused")
    assert.strictEqual(Circuit.answered(probing, probe, 7 * second)._tag, "Closed")
    circuit = Circuit.overloaded(probing, probe, 6 * second)
    assert.isTrue(Circuit.isOpen(circuit, 15 * second))
    assert.isFalse(Circuit.isOpen(circuit, 16 * second))
  })

  it("sends another when nothing is heard of the one it let through", () => {
    const [, probing] = Circuit.admit(opened(0), 5 * second)
    assert.strictEqual(Circuit.admit(probing, 15 * second)[0], "probe")
  })

  it("cares nothing for answers to requests from before it opened", () => {
    const circuit = opened(0)
    assert.strictEqual(Circuit.answered(circuit, "through", second), circuit)
    assert.strictEqual(Circuit.overloaded(circuit, "through", second), circuit)
  })

  it("is never shut for more than a minute, whatever happens", () => {
    const step = fc.record({
      move: fc.constantFrom<(circuit: Circuit.Circuit, passage: Circuit.Passage, now: number) => Circuit.Circuit>(
        (circuit, _passage, now) => Circuit.admit(circuit, now)[1],
        Circuit.answered,
        Circuit.overloaded,
      ),
      passage: fc.constantFrom<Circuit.Passage>("through", "probe"),
      after: fc.nat(20 * second),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let now = 0
        let circuit = Circuit.closed(now)
        for (const { move, passage, after } of steps) {
          now += after
          circuit = move(circuit, passage, now)
          assert.notStrictEqual(Circuit.admit(circuit, now + 60 * second)[0], "refused")
        }
      }),
    )
  })
})

describe("an engine that is overloaded for long", () => {
  const overloaded = Stub.failing(429, "engine_overloaded_error", "The engine is currently overloaded")
  const good = Stub.either({ prompt: 10, completion: 5 })

  it.live(
    "is not asked for a while: its customers are told at once, nothing is held, other models go on, and one in a while finds out when it is back",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("alice")
        const script = { now: overloaded }
        const world = yield* World.start({
          customers: [alice],
          behaviour: (received, response) =>
            (received.body.model === "kimi-k2.6" ? script.now : good)(received, response),
        })
        const isOpen = Effect.map(
          Metric.value(Metric.withAttributes(Metrics.circuitOpen, { model: "kimi-k2.6" })),
          (state) => state.value,
        )
        yield* World.chat(world, alice.token)
        assert.strictEqual(world.stub.received.length, 3)
        yield* World.chat(world, alice.token)
        // The fifth overload opens it, so that the second request is not tried a third time.
        assert.strictEqual(world.stub.received.length, 5)
        assert.strictEqual(yield* isOpen, 1)

        for (let index = 0; index < 5; index++) {
          const refused = yield* World.chat(world, alice.token)
          assert.strictEqual(refused.status, 503)
          assert.strictEqual(refused.json().error.code, "upstream_unavailable")
          assert.strictEqual(refused.headers.get("retry-after"), "2")
        }
        assert.strictEqual(world.stub.received.length, 5)
        const view = yield* world.view(alice)
        assert.deepStrictEqual([view.used, view.held], [0, 0])
        const other = yield* World.chat(world, alice.token, World.chatBody({ model: "kimi-k2.7-code" }))
        assert.strictEqual(other.status, 200)

        script.now = good
        let answer = yield* World.chat(world, alice.token)
        while (answer.status === 503) {
          yield* Effect.sleep(250)
          answer = yield* World.chat(world, alice.token)
        }
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(yield* isOpen, 0)
        assert.strictEqual((yield* World.chat(world, alice.token)).status, 200)
        assert.strictEqual((yield* world.settled(alice)).used, 3 * 15)
        assert.strictEqual(world.stub.received.length, 8)
      }),
    60_000,
  )
})
