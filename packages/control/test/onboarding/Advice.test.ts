import { tiers } from "@berth/domain/Tiers"
import { assert, describe, it } from "@effect/vitest"
import { advise, callsPerMessage, expectedTokens, promptTokens } from "../../src/onboarding/Advice.ts"

describe("advice", () => {
  it.each([
    [1, "starter"],
    [2, "starter"],
    [5, "pro"],
    [10, "pro"],
    [30, "team"],
    [500, "team"],
  ] as const)("%d messages a day suit %s", (messages, tier) => {
    assert.strictEqual(advise(messages, null).tier, tier)
  })

  it("counts cached prompt tokens at a sixth", () => {
    const raw = callsPerMessage * promptTokens * 30
    assert.isBelow(expectedTokens(1), raw / 2)
    // 3,250 fresh, 9,750 cached at a sixth, 400 answered: 5,275 a call, two calls, 30 days.
    assert.strictEqual(expectedTokens(1), 5_275 * 2 * 30)
  })

  it("never recommends a tier whose grant the expected use exceeds, unless none is larger", () => {
    for (let messages = 1; messages < 60; messages += 1) {
      const { expectedTokens: expected, tier } = advise(messages, null)
      assert.isTrue(tier === "team" || expected <= tiers[tier].monthlyTokens)
    }
  })

  it("shows its sum, and says it when the chosen tier is too small", () => {
    assert.strictEqual(
      advise(10, null).reason,
      "About 10 messages a day × 2 calls × 13k tokens × 30 days ≈ 7.8M. Most of it repeats the call before, is cached and " +
        "counts a sixth, so with the answers about 3.2M are charged, of Pro's 5M.",
    )
    assert.match(advise(10, "starter").reason, /more than Starter's 1M.*I would have suggested Pro/)
  })
})
