/**
 * What stands in `limit:{<id>}` and how charges and periods move it. Pure. Invariant: whatever the order in which a
 * period closes and its settlements arrive, the same tokens have left the packs in the end. `held` spans all periods, and
 * `today` counts what is charged on a UTC day, whatever its period.
 */
import type { AllowanceSnapshot, AllowanceTerms, AllowanceView, DayUsage } from "../Allowance.ts"
import type { UsageEvent } from "../Usage.ts"
import { boundaryAfter, dayOf } from "./Period.ts"

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
  /** The parts of `used` and `held` that are background turns'. */
  readonly background: number
  readonly heldBackground: number
  /** The newest UTC day with a charge. */
  readonly today: DayUsage
  /** At which limit of which period a request was refused for good, the last time that this was told. */
  readonly told: { readonly period: number; readonly limit: number } | undefined
  /** Closed periods by number, the newest `remembered`. */
  readonly older: Readonly<Record<number, { readonly used: number; readonly plan: number }>>
  /** Charges of periods not opened here yet, by number: calls that outlived a lost store, whose period event was lost too. */
  readonly ahead: Readonly<Record<number, { readonly used: number; readonly background: number }>>
}

/** Tokens that one call is charged in its period, at an instant (epoch ms). */
export interface Charge {
  readonly period: number
  readonly charge: number
  readonly background: boolean
  readonly at: number
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

/** The day as a charge finds it. One that comes before the newest, by a clock set back, counts into the newest. */
export const todayAt = ({ today }: Limit, now: number): DayUsage =>
  dayOf(now) > today.day ? { day: dayOf(now), used: 0 } : today

/** Counts a charge in its day and its period. */
export const charge = (limit: Limit, one: Charge): Limit => {
  const { day, used } = todayAt(limit, one.at)
  return inPeriod({ ...limit, today: { day, used: used + one.charge } }, one)
}

/**
 * In a closed period only what is used beyond that plan leaves today's packs; a period no longer remembered takes nothing
 * from them.
 */
const inPeriod = (limit: Limit, { period, charge: tokens, background }: Charge): Limit => {
  const ofBackground = background ? tokens : 0
  if (period === limit.period)
    return { ...limit, used: limit.used + tokens, background: limit.background + ofBackground }
  if (period > limit.period) {
    const early = limit.ahead[period] ?? { used: 0, background: 0 }
    const more = { used: early.used + tokens, background: early.background + ofBackground }
    return { ...limit, ahead: { ...limit.ahead, [period]: more } }
  }
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

/** A closed period ended with another plan than was known here: what it used beyond that is what has left the packs. */
export const replan = (limit: Limit, period: number, plan: number): Limit => {
  const old = limit.older[period]
  if (old === undefined) return limit
  return {
    ...limit,
    packs: Math.max(0, limit.packs + beyond(old.used, old.plan) - beyond(old.used, plan)),
    older: { ...limit.older, [period]: { used: old.used, plan } },
  }
}

/** The period that follows. It never starts before the anchor: after an unpaid gap the months in between are not granted. */
const nextPeriod = (limit: Limit): Opened => {
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
  const { [next.period]: early, ...ahead } = limit.ahead
  return {
    ...limit,
    terms: { ...limit.terms, plan: next.plan },
    period: next.period,
    periodEnd: next.endsAt,
    packs: Math.max(0, limit.packs - beyond(limit.used, limit.terms.plan)),
    used: early?.used ?? 0,
    background: early?.background ?? 0,
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
      return charge(limit, event)
    case "period":
      return event.period > limit.period ? rollOver(limit, event) : limit
    case "exhausted":
      return { ...limit, told: { period: event.period, limit: event.limit } }
    case "lost":
      return limit
  }
}

/** The limit as Postgres knows it, with the events it has not recorded yet. `held` is for the caller to fill in. */
export const fromSnapshot = (snapshot: AllowanceSnapshot, unrecorded: Iterable<UsageEvent>): Limit => {
  const { rev, terms, period, periodEnd, packs, used, background, today } = snapshot
  const older = Object.fromEntries(snapshot.older.map((one) => [one.period, { used: one.used, plan: one.plan }]))
  const early = snapshot.ahead?.map((one) => [one.period, { used: one.used, background: one.background }]) ?? []
  const ahead: Limit["ahead"] = Object.fromEntries(early)
  const known = { rev, terms, period, periodEnd, packs, used, background, today, older }
  let limit: Limit = { ...known, held: 0, heldBackground: 0, told: undefined, ahead }
  for (const event of unrecorded) limit = fold(limit, event)
  return limit
}

/** As the next admission will find it: with the periods that are due. */
export const viewOf = (limit: Limit, now: number): AllowanceView => {
  const { limit: current } = openDue(limit, now)
  const { rev, terms, period, periodEnd, packs, used, held, background, heldBackground } = current
  const amounts = { packs, used, held, background, heldBackground, limit: capOf(current) }
  return { rev, terms, period, periodEnd, ...amounts, today: todayAt(current, now) }
}
