/** Random choices from a seed, so that every run sees the same texts (mulberry32). */
export interface Random {
  /** From 0, below 1. */
  readonly next: () => number
  /** A whole number from 0, below `end`. */
  readonly below: (end: number) => number
  readonly pick: <A>(from: ArrayLike<A>) => A
}

export const randomOf = (seed: number): Random => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (end: number) => Math.floor(next() * end)
  return { next, below, pick: (from) => from[below(from.length)] as (typeof from)[number] }
}

/** A seed of a name's own. */
export const seedOf = (name: string): number => {
  let hash = 7
  for (let at = 0; at < name.length; at++) hash = (Math.imul(hash, 31) + name.charCodeAt(at)) >>> 0
  return hash >>> 3
}
