/** What every `Calibrations` promises. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { remembered } from "../../Calibration/Merge.ts"
import { Calibrations, type CalibrationState } from "../../Calibration.ts"
import { CustomerId } from "../../Ids.ts"

/** A state of one mix, made of one class alone. */
export const learntOf = (place: number, count: number, miss: number): CalibrationState => ({
  version: 1,
  mixes: [
    {
      roots: [0, 1, 2, 3].map((index) => (index === place ? 1 : 0)),
      count,
      sum: count * miss,
      squares: count * miss * miss,
      noise: count * 0.125,
    },
  ],
})

export const calibrationsContract = (name: string, layer: Layer.Layer<Calibrations, unknown>) =>
  describe(`Calibrations on ${name}`, () => {
    const test = <E>(title: string, body: Effect.Effect<void, E, Calibrations>): void =>
      it.effect(title, () => body.pipe(Effect.provide(Layer.fresh(layer))))
    const ada = CustomerId.make("calibrated-ada")
    const model = "kimi-k2.6"

    test(
      "knows nothing of a customer who never sent anything",
      Effect.gen(function* () {
        const calibrations = yield* Calibrations
        assert.strictEqual((yield* calibrations.of(ada)).size, 0)
      }),
    )

    test(
      "keeps what was learnt by customer and by model",
      Effect.gen(function* () {
        const calibrations = yield* Calibrations
        yield* calibrations.learn(ada, model, learntOf(0, 3, -0.25))
        yield* calibrations.learn(ada, "kimi-k2.7-code", learntOf(1, 2, 0.5))
        yield* calibrations.learn(CustomerId.make("calibrated-bob"), model, learntOf(2, 9, 0.5))
        const known = yield* calibrations.of(ada)
        assert.deepStrictEqual([...known.keys()].sort(), [model, "kimi-k2.7-code"])
        assert.deepStrictEqual(known.get(model), learntOf(0, 3, -0.25))
      }),
    )

    test(
      "adds what several processes learnt at once: nobody's is lost, and each is told the whole",
      Effect.gen(function* () {
        const calibrations = yield* Calibrations
        const told = yield* Effect.all(
          [0, 1, 2, 0, 1, 2].map((place, index) => calibrations.learn(ada, model, learntOf(place, index + 1, 0.25))),
          { concurrency: "unbounded" },
        )
        const known = (yield* calibrations.of(ada)).get(model)
        const counts = known?.mixes.map(({ roots, count }) => [roots.indexOf(1), count])
        assert.deepStrictEqual(
          counts?.sort(([one = 0], [other = 0]) => one - other),
          [
            [0, 5],
            [1, 7],
            [2, 9],
          ],
        )
        assert.strictEqual(Math.max(...told.map(({ mixes }) => mixes.reduce((sum, { count }) => sum + count, 0))), 21)
      }),
    )

    test(
      "lets what is old fade, so that a customer's new habits count soon",
      Effect.gen(function* () {
        const calibrations = yield* Calibrations
        yield* calibrations.learn(ada, model, learntOf(0, remembered, -0.5))
        const state = yield* calibrations.learn(ada, model, learntOf(0, remembered, 0.5))
        const [mix] = state.mixes
        assert.strictEqual(mix?.count, remembered)
        assert.approximately(mix?.sum ?? 1, 0, 1e-6)
      }),
    )

    test(
      "forgets what was measured against other constants",
      Effect.gen(function* () {
        const calibrations = yield* Calibrations
        yield* calibrations.learn(ada, model, learntOf(0, 5, -0.5))
        const learnt = { ...learntOf(1, 1, 0.25), version: 2 }
        assert.deepStrictEqual(yield* calibrations.learn(ada, model, learnt), learnt)
        assert.deepStrictEqual((yield* calibrations.of(ada)).get(model), learnt)
      }),
    )
  })
