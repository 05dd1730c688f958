import { assert, describe, it } from "@effect/vitest"
import { compact, day, duration, full, gigabytes, moment, money, percent, shortDay } from "../../src/web/Format.ts"

const berlin = { language: "en", timeZone: "Europe/Berlin" }
const at = Date.UTC(2026, 11, 31, 23, 30)

describe("Format", () => {
  it("writes tokens short and in full", () => {
    assert.deepStrictEqual(
      [0, 340, 12_345, 5_000_000, 3_165_000].map((n) => compact(n)),
      ["0", "340", "12.3K", "5M", "3.17M"],
    )
    assert.strictEqual(full(1_234_567), "1,234,567")
  })

  it("writes whole dollars without cents", () => {
    assert.deepStrictEqual(
      [4_900, 4_950, 0].map((cents) => money(cents)),
      ["$49", "$49.50", "$0"],
    )
  })

  it("writes days and moments in the reader's time zone, the api's days in UTC", () => {
    assert.strictEqual(day(at, berlin), "January 1")
    assert.strictEqual(day(at, { language: "en", timeZone: "UTC" }), "December 31")
    assert.strictEqual(moment(at, berlin), "Jan 1, 00:30")
    assert.strictEqual(shortDay("2026-11-24"), "Nov 24")
  })

  it("writes durations without a gap between seconds and minutes", () => {
    assert.deepStrictEqual([0, 340, 9_949, 12_400, 59_400, 59_600, 95_000, -5].map(duration), [
      "0.0 s",
      "0.3 s",
      "9.9 s",
      "12 s",
      "59 s",
      "1 min 0 s",
      "1 min 35 s",
      "0.0 s",
    ])
  })

  it("keeps shares within a bar", () => {
    assert.deepStrictEqual([percent(1, 4), percent(9, 4), percent(1, 0), percent(-1, 4)], [25, 100, 0, 0])
  })

  it("says storage as people do", () => {
    assert.strictEqual(gigabytes("10Gi"), "10 GB")
  })
})
