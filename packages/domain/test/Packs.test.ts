import { assert, describe, it } from "@effect/vitest"
import { packs, soldPacks } from "../src/Packs.ts"
import { models, soldTiers, tiers } from "../src/Tiers.ts"

describe("Packs", () => {
  it("cost more than their dearest tokens at list price", () => {
    for (const id of soldPacks) {
      const { tokens, cents } = packs[id]
      for (const { microUsdPerToken } of Object.values(models)) {
        const dearest = Math.max(microUsdPerToken.prompt, 6 * microUsdPerToken.cached, microUsdPerToken.completion)
        assert.isBelow((tokens * dearest) / 10_000, cents, id)
      }
    }
  })

  it("never make a larger plan the dearer choice", () => {
    for (const [index, id] of soldTiers.entries()) {
      const larger = tiers[soldTiers[index + 1] ?? id]
      if (larger.id === id) continue
      const more = (larger.monthlyCents - tiers[id].monthlyCents) / (larger.monthlyTokens - tiers[id].monthlyTokens)
      for (const pack of soldPacks) assert.isAtLeast(packs[pack].cents / packs[pack].tokens, more, `${id} with ${pack}`)
    }
  })
})
