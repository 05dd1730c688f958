/**
 * Changes that billing made, in their order. Pure; the script `apply` of the Redis layer does the same. Invariant: a change
 * counts once and only after the one before it; used and held are never touched.
 */
import type { AllowanceChange } from "../Allowance.ts"
import { type Limit, open, type Opened, replan } from "./Limit.ts"

export type Applied =
  | { readonly _tag: "applied"; readonly limit: Limit; readonly opened: ReadonlyArray<Opened> }
  | { readonly _tag: "skipped" | "gap" | "absent" }

/** An anchor that is moved into the running period ends it there: who comes back begins another month. */
export const endAt = ({ periodEnd, terms }: Pick<Limit, "periodEnd" | "terms">, anchor: number): number =>
  anchor > terms.anchor ? Math.min(periodEnd, anchor) : periodEnd

export const apply = (limit: Limit | undefined, change: AllowanceChange): Applied => {
  if (limit === undefined) return { _tag: "absent" }
  if (change.rev <= limit.rev) return { _tag: "skipped" }
  if (change.rev !== limit.rev + 1) return { _tag: "gap" }
  const { anchor, nextPlan } = change.terms
  const periodEnd = change.period < limit.period ? limit.periodEnd : endAt(limit, anchor)
  // Billing has opened these periods already, so they open here too, by its anchor, before its plan takes hold.
  const { limit: current, opened } = open(
    { ...limit, periodEnd, terms: { ...limit.terms, anchor, nextPlan } },
    ({ period }) => period < change.period,
  )
  const isLate = change.period < current.period
  const { packs, ...planned } = isLate ? replan(current, change.period, change.terms.plan) : current
  return {
    _tag: "applied",
    limit: {
      ...planned,
      rev: change.rev,
      terms: { ...change.terms, plan: isLate ? current.terms.plan : change.terms.plan },
      packs: Math.max(0, packs + change.packsDelta),
    },
    opened,
  }
}
