/**
 * In which order work is taken when there is more of it than places. Pure. What somebody has paid for and waits for comes
 * first; yet every lane keeps places of its own, so that a flood in one can neither starve nor delay another.
 */

/** From the most urgent to the least: a new agent, a change of one, a deletion, a look just in case. */
export const lanes = ["provision", "change", "destroy", "resync"] as const
export type Lane = (typeof lanes)[number]
export type ByLane = Readonly<Record<Lane, number>>

/** How many pieces of work are in hand at once. They wait for the API server most of the time. */
export const places = 16

/** Places kept free for a lane even while it has nothing to do: whoever comes next starts at once. */
const kept: ByLane = { provision: 4, change: 2, destroy: 1, resync: 1 }

/** No lane takes more. Deletions and resyncs are in no hurry, and each of them costs the API server something. */
const most: ByLane = { provision: 12, change: 8, destroy: 2, resync: 3 }

export const isMoreUrgent = (one: Lane, other: Lane): boolean => lanes.indexOf(one) < lanes.indexOf(other)

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, one) => total + one, 0)

/** The lane whose oldest work is to be taken next, given what waits and what is in hand; none if no place is left for any. */
export const pick = (waiting: ByLane, working: ByLane): Lane | undefined => {
  const free = places - sum(Object.values(working))
  if (free <= 0) return undefined
  return lanes.find((lane) => {
    if (waiting[lane] === 0 || working[lane] >= most[lane]) return false
    const keptForOthers = sum(lanes.map((other) => (other === lane ? 0 : Math.max(0, kept[other] - working[other]))))
    return working[lane] < kept[lane] || free > keptForOthers
  })
}
