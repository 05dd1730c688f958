/**
 * How long our account at the upstream still lasts, from readings of its balance. PURE. Invariant: operators are told
 * before it is spent: by a floor, and by the rate at which it goes, since a good month eats a floor in an hour.
 */

/** `at` in epoch ms; `balance` in the platform's currency. */
export interface Reading {
  readonly at: number
  readonly balance: number
}

export interface Account {
  /** Of the last hour, oldest first. */
  readonly readings: ReadonlyArray<Reading>
  readonly low: boolean
  /** When operators were last told that it is low. */
  readonly toldAt: number
}

export interface Outlook {
  readonly account: Account
  /** Until it is spent at the rate of the last hour; at most a year. */
  readonly hoursLeft: number
  /** What there is to tell: it has become (or is still) low, or is no longer. */
  readonly news: "low" | "recovered" | undefined
}

export const unread: Account = { readings: [], low: false, toldAt: 0 }

const hour = 3_600_000
const mostHours = 24 * 365
/** Before so much time has been watched a rate means nothing. */
const leastWatched = hour / 6
/** Long enough for somebody to wake up and top up. */
const warnHours = 12
/** It is told again after so long. */
const repeatAfter = hour
/** It is no longer low only when it is clear of both bounds, so that it does not flicker. */
const clear = 1.25

/** What was spent in a stretch of readings; a top-up is no negative spending. */
const spentIn = (readings: ReadonlyArray<Reading>): number =>
  readings.reduce(
    (sum, { balance }, index) => sum + Math.max(0, (readings[index - 1]?.balance ?? balance) - balance),
    0,
  )

const hoursLeftOf = (readings: ReadonlyArray<Reading>): number => {
  const [first, last] = [readings[0], readings.at(-1)]
  if (first === undefined || last === undefined || last.at - first.at < leastWatched) return mostHours
  const perHour = spentIn(readings) / ((last.at - first.at) / hour)
  return perHour === 0 ? mostHours : Math.min(mostHours, Math.max(0, last.balance) / perHour)
}

/** Takes a reading. `floor` is the balance below which it is low whatever the rate. */
export const read = (account: Account, reading: Reading, floor: number): Outlook => {
  const readings = [...account.readings.filter(({ at }) => reading.at - at <= hour), reading]
  const hoursLeft = hoursLeftOf(readings)
  const margin = account.low ? clear : 1
  const low = reading.balance < floor * margin || hoursLeft < warnHours * margin
  const tells = low && (!account.low || reading.at - account.toldAt >= repeatAfter)
  return {
    account: { readings, low, toldAt: tells ? reading.at : account.toldAt },
    hoursLeft,
    news: tells ? "low" : account.low && !low ? "recovered" : undefined,
  }
}
