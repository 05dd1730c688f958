/**
 * What the ledger alone says of a customer: its entries folded in their order by the rule that moved the balances when they
 * were written. Pure. Invariant: it equals the balances as they stand, so these can be rebuilt from the ledger at any time.
 */
import * as Limits from "@berth/domain/Allowance/Limit"

/** An entry of `ledger_entries`, in the fields that move something. Grants are positive, reversals negative. */
export interface Entry {
  readonly kind: "grant" | "usage" | "lost" | "correction" | "reversal"
  readonly pool: "plan" | "packs"
  readonly period: number
  readonly tokens: number
}

/** Plan, packs and use of the running period. Charged tokens. */
export interface Balance {
  readonly period: number
  readonly plan: number
  readonly packs: number
  readonly used: number
}

const nobody: Limits.Limit = {
  rev: 0,
  terms: {
    tier: "starter",
    plan: 0,
    nextPlan: 0,
    anchor: 0,
    serviceUntil: 0,
    paused: false,
    blocked: false,
    dailyCap: null,
    backgroundCap: 0,
    tokens: [],
  },
  // Before the first one, so that its grant opens it like any other.
  period: -1,
  periodEnd: 0,
  packs: 0,
  used: 0,
  held: 0,
  background: 0,
  heldBackground: 0,
  today: { day: 0, used: 0 },
  told: undefined,
  older: {},
  ahead: {},
}

const granted = (limit: Limits.Limit, { pool, period, tokens }: Entry): Limits.Limit => {
  if (pool === "packs") return { ...limit, packs: Math.max(0, limit.packs + tokens) }
  if (period > limit.period) return Limits.rollOver(limit, { period, startsAt: 0, endsAt: 0, plan: tokens })
  if (period === limit.period) return { ...limit, terms: { ...limit.terms, plan: limit.terms.plan + tokens } }
  const closed = limit.older[period]
  return closed === undefined ? limit : Limits.replan(limit, period, closed.plan + tokens)
}

const step = (limit: Limits.Limit, entry: Entry): Limits.Limit => {
  switch (entry.kind) {
    case "grant":
    case "reversal":
      return granted(limit, entry)
    case "usage":
    case "correction":
      return Limits.charge(limit, { period: entry.period, charge: entry.tokens, background: false, at: 0 })
    case "lost":
      return limit
  }
}

/** Entries in the order in which they were written. */
export const replay = (entries: ReadonlyArray<Entry>): Balance => {
  const { period, terms, packs, used } = entries.reduce(step, nobody)
  return { period, plan: terms.plan, packs, used }
}
