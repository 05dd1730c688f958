import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type ByLane, type Lane, lanes, pick, places } from "../src/Lanes.ts"

const none: ByLane = { provision: 0, change: 0, destroy: 0, resync: 0 }
const flood: ByLane = { provision: 300, change: 300, destroy: 300, resync: 300 }

/** Takes work as long as there is a place for any. */
const fill = (waiting: ByLane, working: ByLane) => {
  const left = { ...waiting }
  const hand = { ...working }
  const order: Array<Lane> = []
  for (let lane = pick(left, hand); lane !== undefined; lane = pick(left, hand)) {
    left[lane]--
    hand[lane]++
    order.push(lane)
  }
  return { left, hand, order }
}

const Arrivals = Schema.Array(Schema.Struct({ lane: Schema.Literals(lanes), done: Schema.Literals(lanes) }))

describe("lanes", () => {
  it("take the most urgent work first", () => {
    assert.deepStrictEqual(fill({ provision: 1, change: 1, destroy: 1, resync: 1 }, none).order, [
      "provision",
      "change",
      "destroy",
      "resync",
    ])
  })

  it("leave a place for each other, whatever floods in", () => {
    for (const lane of lanes) {
      const { hand } = fill({ ...none, [lane]: 300 }, none)
      for (const other of lanes)
        if (other !== lane)
          assert.strictEqual(fill({ ...none, [other]: 1 }, hand).order[0], other, `${other} beside a flood of ${lane}`)
    }
  })

  it("give each lane something to do when all are flooded", () => {
    const { hand } = fill(flood, none)
    for (const lane of lanes) assert.isAbove(hand[lane], 0, lane)
    assert.isAbove(hand.provision, hand.destroy + hand.resync)
  })

  it.prop(
    "never have more in hand than there are places, nor let a lane wait that has nothing in hand",
    [Arrivals],
    ([all]) => {
      let waiting = none
      let working = none
      for (const { lane, done } of all) {
        waiting = { ...waiting, [lane]: waiting[lane] + 1 }
        working = { ...working, [done]: Math.max(0, working[done] - 1) }
        const filled = fill(waiting, working)
        waiting = filled.left
        working = filled.hand
        assert.isAtMost(
          lanes.reduce((total, one) => total + working[one], 0),
          places,
        )
        for (const one of lanes) assert.isTrue(waiting[one] === 0 || working[one] > 0, one)
      }
    },
  )
})
