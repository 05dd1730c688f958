import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { BadTokens, burst, peerFactor, refillMillis, rememberMillis } from "../src/BadTokens.ts"

const t0 = 1_800_000_000_000

describe("look-ups of unknown tokens", () => {
  it("are as many at once as the burst, then one each time it refills, and never more", () => {
    const bad = new BadTokens(100)
    let allowed = 0
    const ask = (now: number) => {
      if (bad.waitOf("a", now) > 0) return false
      bad.charge("a", now)
      allowed++
      return true
    }
    for (let i = 0; i < 1_000; i++) ask(t0)
    assert.strictEqual(allowed, burst)
    assert.strictEqual(bad.waitOf("a", t0), refillMillis)
    assert.isFalse(ask(t0 + refillMillis - 1))
    assert.isTrue(ask(t0 + refillMillis))
    for (let now = t0; now < t0 + 100 * refillMillis; now += 100) ask(now)
    assert.isAtMost(allowed, burst + 1 + 100)
    assert.isAtLeast(allowed, burst + 98)
  })

  it("of one address leave another's alone", () => {
    const bad = new BadTokens(100)
    for (let i = 0; i < burst; i++) bad.charge("a", t0)
    assert.isAbove(bad.waitOf("a", t0), 0)
    assert.strictEqual(bad.waitOf("b", t0), 0)
  })

  it("of a peer for many addresses are ten times as many", () => {
    const bad = new BadTokens(100)
    let allowed = 0
    while (bad.waitOf("ingress", t0, peerFactor) === 0) {
      bad.charge("ingress", t0, peerFactor)
      allowed++
    }
    assert.strictEqual(allowed, burst * peerFactor)
    assert.strictEqual(bad.waitOf("ingress", t0, peerFactor), refillMillis / peerFactor)
  })

  it("that come at the same time owe no more than the burst", () => {
    const bad = new BadTokens(100)
    for (let i = 0; i < 10 * burst; i++) bad.charge("a", t0)
    assert.strictEqual(bad.waitOf("a", t0), refillMillis)
  })

  it("never exceed the burst and what came back since, in any order of events, with clocks that jump", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -60_000, max: 60_000 }), { maxLength: 200 }), (steps) => {
        const bad = new BadTokens(100)
        let now = t0
        let forward = 0
        let spent = 0
        for (const step of steps) {
          now += step
          forward += Math.max(0, step)
          if (bad.waitOf("a", now) > 0) continue
          bad.charge("a", now)
          spent++
        }
        assert.isAtMost(spent, burst + forward / refillMillis)
      }),
    )
  })
})

describe("a token that nobody has", () => {
  it("is remembered for a moment and no longer, also when the clock is set back", () => {
    const bad = new BadTokens(100)
    bad.remember("hash", t0)
    assert.isTrue(bad.isRemembered("hash", t0 + rememberMillis - 1))
    assert.isFalse(bad.isRemembered("hash", t0 + rememberMillis))
    assert.isFalse(bad.isRemembered("hash", t0 - 60_000))
    assert.isFalse(bad.isRemembered("other", t0))
    assert.isAtMost(rememberMillis, 2_000)
  })
})

it("what is remembered is bounded, whatever is sent from however many addresses", () => {
  const bad = new BadTokens(100)
  for (let i = 0; i < 10_000; i++) {
    bad.charge(`address-${i}`, t0)
    bad.remember(`hash-${i}`, t0)
  }
  assert.isAtMost(bad.size, 200)
})
