/**
 * Changes that billing made, in their order. Pure; the script `apply` of the Redis layer does the same. Invariant: a change
 * counts once and only after the one before it; used, held and closed periods are never touched.
 */
import type { AllowanceChange } from "../Allowance.ts"
import { type Limit, open, type Opened } from "./Limit.ts"

export type Applied =
  | { readonly _tag: "applied"; readonly limit: Limit; readonly opened: ReadonlyArray<Opened> }
  | { readonly _tag: "skipped" | "gap" | "absent" }

export const apply = (limit: Limit | undefined, change: AllowanceChange): Applied => {
  if (limit === undefined) return { _tag: "absent" }
  if (change.rev <= limit.rev) return { _tag: "skipped" }
  if (change.rev !== limit.rev + 1) return { _tag: "gap" }
  const { anchor, nextPlan } = change.terms
  // Billing has opened these periods already, so they open here too, by its anchor, before its plan takes hold.
  const { limit: current, opened } = open(
    { ...limit, terms: { ...limit.terms, anchor, nextPlan } },
    ({ period }) => period < change.period,
  )
  const plan = change.period === current.period ? change.terms.plan : current.terms.plan
  return {
    _tag: "applied",
    limit: {
      ...current,
      rev: change.rev,
      terms: { ...change.terms, plan },
      packs: Math.max(0, current.packs + change.packsDelta),
    },
    opened,
  }
}
