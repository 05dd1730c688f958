import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { merge, mostMixes } from "../src/Calibration/Merge.ts"
import type { CalibrationState, Mix } from "../src/Calibration.ts"

const classes = 6

const aMix: fc.Arbitrary<Mix> = fc
  .record({
    shares: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: classes, maxLength: classes }),
    count: fc.integer({ min: 1, max: 2 }),
    miss: fc.double({ min: -0.5, max: 0.5, noNaN: true }),
  })
  .filter(({ shares }) => shares.some((share) => share > 0))
  .map(({ shares, count, miss }) => {
    const whole = shares.reduce((sum, share) => sum + share, 0)
    const roots = shares.map((share) => Math.sqrt(share / whole))
    return { roots, count, sum: count * miss, squares: count * miss * miss, noise: count * 0.01 }
  })
const stateOf = (mixes: ReadonlyArray<Mix>): CalibrationState => ({ version: 1, mixes })
const total = ({ mixes }: CalibrationState, of: (mix: Mix) => number) => mixes.reduce((sum, mix) => sum + of(mix), 0)

describe("what was learnt of a customer's prompts", () => {
  it("stays small, and stands for all that was learnt while that is little, in whatever order it came", () => {
    fc.assert(
      fc.property(fc.array(aMix, { maxLength: 12 }), fc.array(aMix, { maxLength: 12 }), (here, there) => {
        const one = here.reduce((state, mix) => merge(state, stateOf([mix])), stateOf([]))
        const other = there.reduce((state, mix) => merge(state, stateOf([mix])), stateOf([]))
        for (const both of [merge(one, other), merge(other, one)]) {
          assert.isAtMost(both.mixes.length, mostMixes)
          // Of twelve here and twelve there no mix can have come to more than is remembered.
          for (const of of [(mix: Mix) => mix.count, (mix: Mix) => mix.sum, (mix: Mix) => mix.noise]) {
            assert.approximately(total(both, of), total(one, of) + total(other, of), 1e-6)
          }
          for (const { roots } of both.mixes) {
            assert.approximately(
              roots.reduce((sum, root) => sum + root * root, 0),
              1,
              1e-6,
            )
          }
        }
      }),
    )
  })
  it("joins prompts that are much the same, and keeps apart what is not", () => {
    const [prose, code] = [
      [0.9, 0.1, 0, 0, 0, 0],
      [0.1, 0.1, 0.8, 0, 0, 0],
    ].map((shares) => shares.map(Math.sqrt))
    const of = (roots: ReadonlyArray<number> | undefined) =>
      stateOf([{ roots: roots ?? [], count: 1, sum: 0.1, squares: 0.01, noise: 0 }])
    const state = [prose, code, prose, code, prose].reduce((known, roots) => merge(known, of(roots)), stateOf([]))
    assert.deepStrictEqual(
      state.mixes.map(({ count }) => count),
      [3, 2],
    )
  })
})
