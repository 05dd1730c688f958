/** What a customer used, summed by UTC day, model and background, and how it is shown: by day and by model. Pure. */
import * as DateTime from "effect/DateTime"
import { dayMillis } from "./Allowance/Period.ts"

/** Calls of one UTC day, model and kind in one period. `prompt` includes `cached`; `charged` is what the allowance lost. */
export interface UsageDay {
  readonly period: number
  /** Days since 1970-01-01. */
  readonly day: number
  readonly model: string
  readonly background: boolean
  readonly prompt: number
  readonly cached: number
  readonly completion: number
  readonly charged: number
  readonly requests: number
}

export interface UsageSum extends Pick<UsageDay, "prompt" | "cached" | "completion" | "charged" | "requests"> {
  /** What of `charged` went to turns that nobody asked for: heartbeat and cron. */
  readonly background: number
}

const nothing: UsageSum = { prompt: 0, cached: 0, completion: 0, charged: 0, requests: 0, background: 0 }

const add = (sum: UsageSum, row: UsageDay): UsageSum => ({
  prompt: sum.prompt + row.prompt,
  cached: sum.cached + row.cached,
  completion: sum.completion + row.completion,
  charged: sum.charged + row.charged,
  requests: sum.requests + row.requests,
  background: sum.background + (row.background ? row.charged : 0),
})

const sumBy = <K>(
  rows: ReadonlyArray<UsageDay>,
  keyOf: (row: UsageDay) => K,
): ReadonlyArray<readonly [K, UsageSum]> => {
  const sums = new Map<K, UsageSum>()
  for (const row of rows) sums.set(keyOf(row), add(sums.get(keyOf(row)) ?? nothing, row))
  return [...sums]
}

/** 20781 → "2026-11-24". */
export const isoDay = (day: number): string => DateTime.formatIsoDateUtc(DateTime.makeUnsafe(day * dayMillis))

/** Days with usage, oldest first. */
export const byDay = (rows: ReadonlyArray<UsageDay>): ReadonlyArray<UsageSum & { readonly day: string }> =>
  sumBy(rows, ({ day }) => day)
    .toSorted(([a], [b]) => a - b)
    .map(([day, sum]) => ({ day: isoDay(day), ...sum }))

/** Models with usage, the most charged first. */
export const byModel = (rows: ReadonlyArray<UsageDay>): ReadonlyArray<UsageSum & { readonly model: string }> =>
  sumBy(rows, ({ model }) => model)
    .map(([model, sum]) => ({ model, ...sum }))
    .toSorted((a, b) => b.charged - a.charged || a.model.localeCompare(b.model))
