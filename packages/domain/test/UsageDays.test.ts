import { assert, describe, it } from "@effect/vitest"
import { byDay, byModel, isoDay, type UsageDay } from "../src/UsageDays.ts"

const row = (some: Partial<UsageDay>): UsageDay => ({
  period: 0,
  day: 20_781,
  model: "kimi-k2.6",
  background: false,
  prompt: 10,
  cached: 4,
  completion: 2,
  charged: 9,
  requests: 1,
  ...some,
})

const rows = [
  row({ day: 20_782, model: "kimi-k2.7-code", charged: 100 }),
  row({ background: true, charged: 3 }),
  row({ day: 20_782 }),
  row({ period: 1, day: 20_782, background: true, requests: 2 }),
]

describe("usage by day and model", () => {
  it("adds up the days, oldest first, background apart but within", () => {
    assert.deepStrictEqual(byDay(rows), [
      { day: "2026-11-24", prompt: 10, cached: 4, completion: 2, charged: 3, requests: 1, background: 3 },
      { day: "2026-11-25", prompt: 30, cached: 12, completion: 6, charged: 118, requests: 4, background: 9 },
    ])
  })

  it("adds up the models, the most charged first", () => {
    assert.deepStrictEqual(
      byModel(rows).map(({ model, charged, background, requests }) => ({ model, charged, background, requests })),
      [
        { model: "kimi-k2.7-code", charged: 100, background: 0, requests: 1 },
        { model: "kimi-k2.6", charged: 21, background: 12, requests: 4 },
      ],
    )
  })

  it("names a day as UTC has it", () => {
    assert.strictEqual(isoDay(0), "1970-01-01")
    assert.strictEqual(isoDay(20_781), "2026-11-24")
  })
})
