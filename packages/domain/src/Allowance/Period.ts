/**
 * When billing periods begin and end: calendar months in UTC from the billing anchor, its time of day kept and its day
 * clamped to the month's length, always counted from the anchor so that a short month never shifts the later ones.
 */
import * as DateTime from "effect/DateTime"

export const dayMillis = 86_400_000

/** Number of the UTC day, from 1970-01-01. */
export const dayOf = (instant: number): number => Math.floor(instant / dayMillis)

/** When a day ends. Epoch ms. */
export const endOfDay = (day: number): number => (day + 1) * dayMillis

const dateOf = (instant: number) => DateTime.toPartsUtc(DateTime.makeUnsafe(instant))

const monthOf = (instant: number): number => {
  const { year, month } = dateOf(instant)
  return year * 12 + month - 1
}

/** The anchor moved by whole months. Epoch ms. */
export const monthsAfter = (anchor: number, months: number): number => {
  const index = monthOf(anchor) + months
  const year = Math.floor(index / 12)
  const month = index - year * 12
  const lastDay = dateOf(Date.UTC(year, month + 1, 0)).day
  const timeOfDay = anchor - Math.floor(anchor / dayMillis) * dayMillis
  return Date.UTC(year, month, Math.min(dateOf(anchor).day, lastDay)) + timeOfDay
}

/** The first period boundary later than `instant`. Epoch ms. */
export const boundaryAfter = (anchor: number, instant: number): number => {
  const months = monthOf(instant) - monthOf(anchor)
  const sameMonth = monthsAfter(anchor, months)
  return sameMonth > instant ? sameMonth : monthsAfter(anchor, months + 1)
}
