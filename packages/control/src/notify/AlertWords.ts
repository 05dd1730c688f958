/** The sentences that tell how much of the month's tokens is used, in mails and conversations alike. Pure. */
import * as DateTime from "effect/DateTime"
import type { Mark } from "../billing/UsageAlert.ts"

/** The UTC day of an instant (epoch ms), "December 24, 2026": as the proxy's refusals say it. */
export const dayOf = (at: number): string =>
  DateTime.formatUtc(DateTime.makeUnsafe(at), { locale: "en-US", dateStyle: "long" })

export const alertWords = (percent: Mark): string => {
  switch (percent) {
    case 50:
      return "Half of this month's tokens are used."
    case 80:
      return "80% of this month's tokens are used."
    case 100:
      return "This month's tokens are used up."
  }
}

/** What that means until the period ends. */
export const meaning = (percent: Mark, resetsAt: number): string =>
  percent === 100
    ? `Your agent answers again on ${dayOf(resetsAt)}, when the next month begins, or as soon as you top up.`
    : `The rest is for the days until ${dayOf(resetsAt)}. When it is used up your agent says so and waits; there is no overage bill.`
