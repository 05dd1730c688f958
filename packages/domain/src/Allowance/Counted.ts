/**
 * What a snapshot counts already. Pure. Invariant: a rebuilt allowance counts each charge once, though a store that lost its
 * tail tells some of them again: whatever is in the snapshot is left out, and what may be in it is asked about first.
 */
import type { AllowanceSnapshot } from "../Allowance.ts"
import { sourceIdOf, type UsageEvent } from "../Usage.ts"

export interface Missing {
  /** Events to add to the snapshot. */
  readonly missing: ReadonlyArray<UsageEvent>
  /** Source ids of those charges among them that may yet turn out to be counted. */
  readonly unsure: ReadonlyArray<string>
}

/** `asked` is what the snapshot was asked about; without it, it is taken to count none of these events but those it names. */
export const missingFrom = (
  { counted }: AllowanceSnapshot,
  events: ReadonlyArray<UsageEvent>,
  asked: ReadonlyArray<string> | undefined,
): Missing => {
  const known = new Set(counted)
  const missing = events.filter((event) => !known.has(sourceIdOf(event)))
  if (asked === undefined) return { missing, unsure: [] }
  const sure = new Set(asked)
  const charges = missing.filter(({ _tag }) => _tag === "usage" || _tag === "correction")
  return { missing, unsure: charges.map(sourceIdOf).filter((source) => !sure.has(source)) }
}

/** The calls that a snapshot names as counted, each as "<request>:<attempt>". */
export const callsCounted = ({ counted = [] }: AllowanceSnapshot): ReadonlyArray<string> =>
  counted.map((source) => source.slice(source.indexOf(":") + 1))
