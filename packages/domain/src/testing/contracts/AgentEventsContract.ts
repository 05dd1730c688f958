/** What every `AgentEvents` promises. Each test builds the layer anew and expects an empty store. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { type AgentEvent, AgentEvents } from "../../AgentEvents.ts"
import { CustomerId } from "../../Ids.ts"

const event = (seq: number): AgentEvent => ({
  _tag: "step",
  customerId: CustomerId.make("ada"),
  generation: 1,
  seq,
  at: 1_700_000_000_000,
  step: "Namespace",
})

/** `lapse` lets everything taken so far count as taken more than `reclaimMillis` ago. */
export const agentEventsContract = <R>(
  name: string,
  layer: Layer.Layer<AgentEvents | R, unknown>,
  lapse: Effect.Effect<void, unknown, R>,
) =>
  describe(`AgentEvents on ${name}`, () => {
    const test = <E>(title: string, body: Effect.Effect<void, E, AgentEvents | R>): void =>
      it.effect(title, () => body.pipe(Effect.provide(Layer.fresh(layer))))
    const append = (...seqs: ReadonlyArray<number>) =>
      AgentEvents.use((events) => Effect.forEach(seqs, (seq) => events.append(event(seq)), { discard: true }))
    const take = (max: number) => AgentEvents.use((events) => events.take(max))
    const seqs = (delivered: ReadonlyArray<{ readonly event: AgentEvent }>) => delivered.map((one) => one.event.seq)

    test(
      "delivers what was appended before anyone read, whole and in order",
      Effect.gen(function* () {
        yield* append(1, 2, 3)
        const first = yield* take(2)
        assert.deepStrictEqual(
          first.map((one) => one.event),
          [event(1), event(2)],
        )
        assert.deepStrictEqual(seqs(yield* take(2)), [3])
      }),
    )

    test(
      "waits about a second for an event and then delivers none",
      Effect.gen(function* () {
        const waiter = yield* Effect.forkChild(take(10), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(waiter), [])
      }),
    )

    test(
      "delivers again what was not acknowledged in time, and nothing that was",
      Effect.gen(function* () {
        const events = yield* AgentEvents
        yield* append(1, 2, 3)
        const taken = yield* take(10)
        yield* events.acknowledge(taken.slice(1, 2).map((one) => one.id))
        yield* append(4)
        assert.deepStrictEqual(seqs(yield* take(10)), [4])
        yield* lapse
        const again: Array<number> = []
        while (again.length < 3) again.push(...seqs(yield* take(2)))
        assert.deepStrictEqual(again, [1, 3, 4])
      }),
    )

    test(
      "delivers each event to one of two readers",
      Effect.gen(function* () {
        yield* append(1, 2, 3, 4)
        const [one, other] = yield* Effect.all([take(2), take(2)], { concurrency: 2 })
        assert.deepStrictEqual([...seqs(one), ...seqs(other)].sort(), [1, 2, 3, 4])
      }),
    )

    test(
      "takes an acknowledgement twice, and none at all",
      Effect.gen(function* () {
        const events = yield* AgentEvents
        yield* append(1)
        const ids = (yield* take(1)).map((one) => one.id)
        yield* events.acknowledge(ids)
        yield* events.acknowledge(ids)
        yield* events.acknowledge([])
        yield* lapse
        yield* append(2)
        assert.deepStrictEqual(seqs(yield* take(10)), [2])
      }),
    )
  })
