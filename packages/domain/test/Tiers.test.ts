import { assert, describe, it } from "@effect/vitest"
import { headline, models, soldTiers, tiers } from "../src/Tiers.ts"

describe("Tiers", () => {
  it("says the offer as the customer reads it", () => {
    assert.deepStrictEqual(
      soldTiers.map((id) => headline(tiers[id])),
      ["Starter · $19/mo · 1M tokens/mo", "Pro · $49/mo · 5M tokens/mo", "Team · $129/mo · 20M tokens/mo"],
    )
  })

  it("keeps the dearest month of every tier under its price, at list price", () => {
    for (const id of soldTiers) {
      const tier = tiers[id]
      for (const model of tier.models) {
        const { cached, prompt, completion } = models[model].microUsdPerToken
        // One charged token stands for one of prompt or completion, or for six cached ones.
        const dearest = Math.max(prompt, 6 * cached, completion)
        assert.isBelow((tier.monthlyTokens * dearest) / 10_000, tier.monthlyCents, `${id} on ${model}`)
      }
    }
  })
})
