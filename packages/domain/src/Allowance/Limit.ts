/**
 * What stands in `limit:{<id>}` and how charges and periods move it. Pure. Invariant: whatever the order in which a
 * period closes and its settlements arrive, the same tokens have left the packs in the end. `held` spans all periods.
 */
import type { AllowanceSnapshot, AllowanceTerms, AllowanceView } from "../Allowance.ts"
import type { UsageEvent } from "../Usage.ts"
import { boundaryAfter } from "./Period.ts"

/** How many closed periods are kept: far more than a hold or a late truth can outlive. */
export const remembered = 3

export interface Limit {
  readonly rev: number
  readonly terms: AllowanceTerms
  readonly period: number
  readonly periodEnd: number
  readonly packs: number
  readonly used: number
  readonly held: number
  /** Closed periods by number, the newest `remembered`. */
  readonly older: Readonly<Record<number, { readonly used: number; readonly plan: number }>>
  /** Charges of periods not opened here yet, by number: calls that outlived a lost store, whose period event was lost too. */
  readonly ahead: Readonly<Record<number, number>>
}

/** A period as it opens: its number, epoch ms from start to end, and its grant. */
export interface Opened {
  readonly period: number
  readonly startsAt: number
  readonly endsAt: number
  readonly plan: number
}

/** What may be used and held together. */
export const capOf = (limit: Limit): number => limit.terms.plan + limit.packs

const beyond = (used: number, plan: number): number => Math.max(0, used - plan)

/**
 * Counts a charge in its own period. In a closed one only what it uses beyond that plan leaves today's packs; a period
 * no longer remembered takes nothing from them.
 */
export const charge = (limit: Limit, period: number, tokens: number): Limit => {
  if (period === limit.period) return { ...limit, used: limit.used + tokens }
  if (period > limit.period)
    return { ...limit, ahead: { ...limit.ahead, [period]: (limit.ahead[period] ?? 0) + tokens } }
  const old = limit.older[period]
  if (old === undefined) return limit
  const used = old.used + tokens
  const taken = beyond(used, old.plan) - beyond(old.used, old.plan)
  return {
    ...limit,
    packs: Math.max(0, limit.packs - taken),
    older: { ...limit.older, [period]: { used, plan: old.plan } },
  }
}

/** The period that follows. It never starts before the anchor: after an unpaid gap the months in between are not granted. */
export const nextPeriod = (limit: Limit): Opened => {
  const startsAt = Math.max(limit.periodEnd, limit.terms.anchor)
  return {
    period: limit.period + 1,
    startsAt,
    endsAt: boundaryAfter(limit.terms.anchor, startsAt),
    plan: limit.terms.nextPlan,
  }
}

/** Closes the running period and opens the next: what it used beyond its plan leaves the packs, open holds go on. */
export const rollOver = (limit: Limit, next: Opened): Limit => {
  const closed = { ...limit.older, [limit.period]: { used: limit.used, plan: limit.terms.plan } }
  const { [next.period]: early = 0, ...ahead } = limit.ahead
  return {
    ...limit,
    terms: { ...limit.terms, plan: next.plan },
    period: next.period,
    periodEnd: next.endsAt,
    packs: Math.max(0, limit.packs - beyond(limit.used, limit.terms.plan)),
    used: early,
    older: Object.fromEntries(Object.entries(closed).filter(([number]) => Number(number) >= next.period - remembered)),
    ahead,
  }
}

/** Opens, one after another, every period that `isDue`. */
export const open = (
  limit: Limit,
  isDue: (limit: Limit) => boolean,
): { readonly limit: Limit; readonly opened: ReadonlyArray<Opened> } => {
  const opened: Array<Opened> = []
  let current = limit
  while (isDue(current)) {
    const next = nextPeriod(current)
    opened.push(next)
    current = rollOver(current, next)
  }
  return { limit: current, opened }
}

/** Opens what is due while the customer is served. */
export const openDue = (limit: Limit, now: number) =>
  open(limit, ({ periodEnd, terms }) => now >= periodEnd && now < terms.serviceUntil)

/** Adds one event of the stream to a limit that does not know it yet. */
export const fold = (limit: Limit, event: UsageEvent): Limit => {
  switch (event._tag) {
    case "usage":
    case "correction":
      return charge(limit, event.period, event.charge)
    case "period":
      return event.period > limit.period ? rollOver(limit, event) : limit
    case "lost":
      return limit
  }
}

/** The limit as Postgres knows it, with the events it has not recorded yet. `held` is for the caller to fill in. */
export const fromSnapshot = (snapshot: AllowanceSnapshot, unrecorded: Iterable<UsageEvent>): Limit => {
  const { rev, terms, period, periodEnd, packs, used } = snapshot
  const older = Object.fromEntries(snapshot.older.map((one) => [one.period, { used: one.used, plan: one.plan }]))
  let limit: Limit = { rev, terms, period, periodEnd, packs, used, held: 0, older, ahead: {} }
  for (const event of unrecorded) limit = fold(limit, event)
  return limit
}

/** As the next admission will find it: with the periods that are due. */
export const viewOf = (limit: Limit, now: number): AllowanceView => {
  const { limit: current } = openDue(limit, now)
  const { rev, terms, period, periodEnd, packs, used, held } = current
  return { rev, terms, period, periodEnd, packs, used, held, limit: capOf(current) }
}
