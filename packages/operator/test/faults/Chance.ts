/** Faults by chance, the same for the same seed. Pure. */
import { type Fate, pass } from "./FaultyApi.ts"

/** Numbers from 0 to 1 that a seed fixes (mulberry32). */
export const numbers = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Of a thousand requests so many come to grief. */
const share = 85

const answer = (status: number, headers?: Readonly<Record<string, string>>): Fate => ({
  _tag: "Answer",
  status,
  ...(headers === undefined ? {} : { headers }),
})
const cut = (server: "never" | "done"): Fate => ({ _tag: "Cut", server })
/** Costs whoever waits for it its whole patience, 10 s. */
const silence: Fate = { _tag: "Silence" }

/** Of twenty faults so many are of each kind, in an order by chance. */
const twenty: ReadonlyArray<Fate> = [
  ...[409, 409, 409, 429, 500, 500, 500, 503, 503, 504, 504].map((status) => answer(status)),
  ...[0, 1].map((seconds) => answer(429, { "retry-after": String(seconds) })),
  ...(["never", "never", "never", "done", "done", "done"] as const).map(cut),
  silence,
]

/** Each kind of fault, by its name. */
export const kindsOfFaults = ["409", "429", "500", "503", "504", "cut, never", "cut, done", "Silence"] as const

export interface Faults {
  readonly rule: () => Fate
  /** What happened so far, by its name. */
  readonly count: () => Readonly<Record<string, number>>
}

const nameOf = (fate: Fate): string =>
  fate._tag === "Answer" ? String(fate.status) : fate._tag === "Cut" ? `cut, ${fate.server}` : fate._tag

export const faults = (seed: number): Faults => {
  const next = numbers(seed)
  const counts: Record<string, number> = {}
  let coming: ReadonlyArray<Fate> = []
  const shuffled = () =>
    twenty
      .map((fate) => ({ fate, place: next() }))
      .sort((a, b) => a.place - b.place)
      .map(({ fate }) => fate)
  return {
    rule: () => {
      if (next() * 1_000 >= share) return pass
      if (coming.length === 0) coming = shuffled()
      const [fate = pass, ...rest] = coming
      coming = rest
      counts[nameOf(fate)] = (counts[nameOf(fate)] ?? 0) + 1
      return fate
    },
    count: () => counts,
  }
}
