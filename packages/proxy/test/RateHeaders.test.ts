import { assert, describe, it } from "@effect/vitest"
import { goDuration, rateHeaders } from "../src/RateHeaders.ts"

describe("a duration as OpenAI's headers spell it", () => {
  for (const [millis, text] of [
    [0, "0s"],
    [-5_000, "0s"],
    [1, "1s"],
    [1_000, "1s"],
    [59_001, "1m0s"],
    [60_000, "1m0s"],
    [360_000, "6m0s"],
    [3_600_000, "1h0m0s"],
    [30 * 24 * 3_600_000 - 1_000, "719h59m59s"],
  ] as const) {
    it(`of ${millis} ms is ${text}`, () => {
      assert.strictEqual(goDuration(millis), text)
    })
  }
})

describe("the headers of an allowance", () => {
  it("never tell of less than nothing, and name the moment of the reset in both ways", () => {
    const periodEnd = Date.UTC(2026, 11, 1)
    assert.deepStrictEqual(rateHeaders({ limit: 1_000, remaining: -3, periodEnd }, periodEnd - 90_000), {
      "x-ratelimit-limit-tokens": "1000",
      "x-ratelimit-remaining-tokens": "0",
      "x-ratelimit-reset-tokens": "1m30s",
      "x-berth-period-end": "2026-12-01T00:00:00.000Z",
    })
  })
})
