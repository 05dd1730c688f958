/**
 * When a customer is told how much of the month's tokens is used: at 50, 80 and 100 percent. Pure. Invariant: once per
 * period, limit and percent; more tokens make another limit, so what is reached of it is told anew. What crosses two marks
 * at once is told of the higher one alone, and nothing is told of a period that is over.
 */
import type { CustomerId } from "@berth/domain/Ids"

export const marks = [50, 80, 100] as const
export type Mark = (typeof marks)[number]

/** Charged tokens of the running period, and what may be used in it, packs included. */
export interface Balance {
  readonly period: number
  readonly used: number
  readonly limit: number
}

export interface Alert extends Balance {
  readonly percent: Mark
}

/** The first refusal of a request for want of tokens: the limit it met. */
export type Refused = Pick<Balance, "period" | "limit">

const reached = ({ used, limit }: Balance): Mark | 0 =>
  limit > 0 ? (marks.findLast((percent) => used * 100 >= limit * percent) ?? 0) : 0

/** What to tell, given the balance before and after some usage was booked, and the refusals among it. */
export const decide = (before: Balance, after: Balance, refusals: ReadonlyArray<Refused>): Alert | undefined => {
  // A refusal may come long before the last token is used: what is left was too little for the call.
  const isRefused = refusals.some(({ period, limit }) => period === after.period && after.limit <= limit)
  if (isRefused) return { ...after, percent: 100 }
  const told = before.period === after.period ? reached(before) : 0
  const percent = reached(after)
  return percent === 0 || percent <= told ? undefined : { ...after, percent }
}

/** Makes each alert happen once, whatever is recorded again. */
export const sourceIdOf = (customerId: CustomerId, { period, limit, percent }: Alert): string =>
  `alert:${customerId}:${period}:${limit}:${percent}`
