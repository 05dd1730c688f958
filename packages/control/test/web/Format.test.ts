import { assert, describe, it } from "@effect/vitest"
import {
  clock,
  compact,
  day,
  duration,
  full,
  gigabytes,
  moment,
  money,
  percent,
  second,
  shortDay,
  storage,
  tokensIn,
} from "../../src/web/Format.ts"

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

  it("writes a time of the reader's day", () => {
    assert.strictEqual(clock(at, berlin), "00:30")
    assert.strictEqual(clock(at, { language: "en", timeZone: "UTC" }), "23:30")
  })

  it("reads an amount of tokens as people type it, and nothing into what is none", () => {
    assert.deepStrictEqual(
      ["200000", " 200,000 ", "200 000", "200.000", "200k", "1.5M", "1,5 m"].map((typed) => tokensIn(typed)),
      [200_000, 200_000, 200_000, 200_000, 200_000, 1_500_000, 1_500_000],
    )
    for (const typed of ["", "none", "-5", "1e6", "k", "1.2.3k"]) assert.isUndefined(tokensIn(typed), typed)
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

  it("tells a line of a log by its second", () => {
    assert.strictEqual(second(Date.UTC(2026, 10, 24, 14, 3, 7), { language: "en", timeZone: "UTC" }), "14:03:07")
  })

  it("keeps shares within a bar", () => {
    assert.deepStrictEqual([percent(1, 4), percent(9, 4), percent(1, 0), percent(-1, 4)], [25, 100, 0, 0])
  })

  it("says storage as people do", () => {
    assert.strictEqual(gigabytes("10Gi"), "10 GB")
    assert.deepStrictEqual(
      [10, 9.04, 0.37].map((part) => storage(part * 2 ** 30)),
      ["10 GB", "9 GB", "0.37 GB"],
    )
  })
})
