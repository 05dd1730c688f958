/**
 * How what was learnt here and there becomes one. PURE. Mixes that are much the same become one; beyond a few, the two
 * most alike do. What is old fades: beyond so many prompts a mix keeps its means and forgets how many it had.
 */
import type { CalibrationState, Mix } from "../Calibration.ts"

/** Enough for an agent's habits, and small to keep for every customer. */
export const mostMixes = 8
/** Prompts that a mix remembers. */
export const remembered = 64
/** As far as mixes of one kind of prompt lie apart (of 2, which is nothing in common). */
export const alike = 0.03

/** How far two mixes lie apart: from 0, the same, to 2, nothing in common (twice the squared Hellinger distance). */
export const distance = (one: ReadonlyArray<number>, other: ReadonlyArray<number>): number => {
  let sum = 0
  for (let index = 0; index < one.length; index++) sum += ((one[index] as number) - (other[index] ?? 0)) ** 2
  return sum
}

const joined = (one: Mix, other: Mix): Mix => {
  const count = one.count + other.count
  const weight = other.count / count
  const keep = Math.min(1, remembered / count)
  // Averaged roots have squares that add up to a little less than 1.
  const roots = one.roots.map((root, index) => root + weight * ((other.roots[index] ?? 0) - root))
  const length = Math.sqrt(roots.reduce((sum, root) => sum + root * root, 0)) || 1
  return {
    roots: roots.map((root) => root / length),
    count: count * keep,
    sum: (one.sum + other.sum) * keep,
    squares: (one.squares + other.squares) * keep,
    noise: (one.noise + other.noise) * keep,
  }
}

/** The nearest of some mixes, and how far away it lies. */
const nearest = (mixes: ReadonlyArray<Mix>, { roots }: Mix): readonly [index: number, apart: number] => {
  let best = -1
  let apart = Number.POSITIVE_INFINITY
  for (const [index, mix] of mixes.entries()) {
    const here = distance(mix.roots, roots)
    if (here < apart) [best, apart] = [index, here]
  }
  return [best, apart]
}

const add = (mixes: Array<Mix>, mix: Mix): void => {
  const [at, apart] = nearest(mixes, mix)
  const found = mixes[at]
  if (found !== undefined && apart < alike) {
    mixes[at] = joined(found, mix)
    return
  }
  mixes.push(mix)
  if (mixes.length <= mostMixes) return
  let closest: readonly [one: number, other: number, apart: number] = [0, 1, Number.POSITIVE_INFINITY]
  for (const [index, one] of mixes.entries()) {
    const [other, apart] = nearest(mixes.slice(0, index), one)
    if (apart < closest[2]) closest = [other, index, apart]
  }
  const [one, other] = closest
  mixes[one] = joined(mixes[one] as Mix, mixes[other] as Mix)
  mixes.splice(other, 1)
}

/** Of another version, what is known is forgotten. */
export const merge = (known: CalibrationState | undefined, learnt: CalibrationState): CalibrationState => {
  if (known === undefined || known.version !== learnt.version) return learnt
  const mixes = [...known.mixes]
  for (const mix of learnt.mixes) add(mixes, mix)
  return { version: learnt.version, mixes }
}
