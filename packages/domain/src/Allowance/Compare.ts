/**
 * Whether a store has an allowance as the ledger says. Pure. Both sides are as of one instant: what the snapshot lacks is
 * added from the stream before. Today's count is left out: it is forgotten at midnight, and a clock set back moves it.
 */
import { type Limit, openDue } from "./Limit.ts"

/** One amount, in charged tokens or as a number of a period: what should stand, and what does. */
export interface Difference {
  readonly what: string
  readonly expected: number
  readonly found: number
}

/** What the open holds amount to. */
export interface HeldSum {
  readonly held: number
  readonly heldBackground: number
}

const amountsOf = (limit: Limit): ReadonlyArray<readonly [what: string, amount: number]> => [
  ["period", limit.period],
  ["plan", limit.terms.plan],
  ["packs", limit.packs],
  ["used", limit.used],
  ["background", limit.background],
  ["held", limit.held],
  ["heldBackground", limit.heldBackground],
  ...Object.entries(limit.older).map(([period, { used }]) => [`used:${period}`, used] as const),
]

/** `expected` counts no holds yet; both open the periods that are due first. */
export const differencesBetween = (
  expected: Limit,
  found: Limit,
  holds: HeldSum,
  now: number,
): ReadonlyArray<Difference> => {
  const stands = new Map(amountsOf(openDue(found, now).limit))
  return amountsOf(openDue({ ...expected, ...holds }, now).limit).flatMap(([what, amount]) =>
    stands.get(what) === amount ? [] : [{ what, expected: amount, found: stands.get(what) ?? 0 }],
  )
}
