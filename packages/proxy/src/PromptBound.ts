/**
 * How many tokens a prompt can be, from its profile and from what was learnt of its customer's prompts before. PURE.
 * A prompt's miss (true over likely count, less 1) is taken as normally distributed. Before anything is learnt its variance
 * is what the classes' spreads say: the safe constants. What was learnt narrows it only for prompts made of much the same
 * (a Gaussian process over what prompts are made of): a customer who only ever sent English is at the safe constants again
 * with the first base64. docs/prompt-bound.md has the derivation and what it comes to.
 */
import type { CalibrationState, Mix } from "@berth/domain/Calibration"
import { classes, classNames, type ClassName, type Profile } from "./ByteClasses.ts"

/** Likely tokens of one of each class, and their spread from text to text; found by bench/FitPromptBound.ts. */
const rates: Readonly<Record<ClassName, readonly [likely: number, spread: number]>> = {
  usual: [0.08, 0.03],
  seldom: [0.15, 0.03],
  strange: [0.98, 0.1],
  word: [0.76, 0.13],
  hump: [1.05, 0.1],
  capital: [0.56, 0.06],
  mixed: [0.8, 0.08],
  number: [1.52, 0.18],
  digit: [0.32, 0.03],
  blank: [0.01, 0.03],
  mark: [0.48, 0.05],
  marks: [0.01, 0.04],
  odd: [0.77, 0.08],
  break: [1.07, 0.11],
  latin: [0.55, 0.06],
  accented: [0.57, 0.56],
  cyrillic: [0.4, 0.11],
  greek: [0.73, 0.25],
  hebrew: [0.7, 0.31],
  arabic: [0.51, 0.2],
  devanagari: [0.77, 0.32],
  indic: [0.76, 0.5],
  thai: [0.55, 0.25],
  georgian: [1.15, 0.73],
  distant: [1.57, 0.9],
  ideograph: [0.71, 0.25],
  rareIdeograph: [3.06, 0.38],
  hangul: [0.82, 0.16],
  symbol: [0.45, 0.87],
  emoji: [3.01, 0.3],
}
/** Of `rates`; to be raised with them, so that what was measured against others is forgotten. */
export const version = 1

export const leastLikely = 0.01
export const leastSpread = (likely: number): number => Math.max(0.03, 0.1 * likely)

/** What the chat template adds around the text. */
export const template = 10

/** Standard deviations above the likely count: p99.9 if misses were normal, and p99 as they are. */
const sigmas = 3
/** Spread of prompts made of the same, until it is known. */
const habit = 0.06
/** What that guess weighs, in prompts; and below this no spread is believed. */
const habitWeight = 4
const leastHabit = 0.02
/**
 * What of a class' spread is left to mixes that are known well, since what they are made of does not say all; more where
 * several languages share a script, and so what they are made of.
 */
const doubt = 0.1
const doubtOfScripts: { readonly [Name in ClassName]?: number } = {
  latin: 0.35,
  accented: 1,
  cyrillic: 0.35,
  arabic: 0.35,
  devanagari: 0.35,
  indic: 0.35,
  distant: 0.35,
}
/** How soon what was learnt of one mix says nothing of another, as a distance. */
const reach = 0.03
/** The least weight of a class in what a text is made of, so that those that cost little count too. */
const leastWeight = 0.1

const likelyRates = Float64Array.from(classNames, (name) => rates[name][0])
const spreads = Float64Array.from(classNames, (name) => rates[name][1])
const doubts = Float64Array.from(classNames, (name) => doubtOfScripts[name] ?? doubt)
const weights = likelyRates.map((rate) => Math.max(rate, leastWeight))

/** What chance makes of the miss of a short text: the variance of a count of tokens, and of the template. */
const shortness = (likely: number): number => 0.5 / likely + 100 / likely ** 2
/** The variance of a miss that is not known to have a cause. */
export const noiseOf = (likely: number): number => habit ** 2 + shortness(likely)

/** A prompt as the rule sees it, or one of several mixes in a row. */
interface Made {
  /** What it is made of; see `Mix`. */
  readonly roots: Float64Array
  /** By how much each class' spread moves the miss. */
  readonly pulls: Float64Array
}

const madeOf = (profile: Profile): Made & { readonly likely: number } => {
  const roots = new Float64Array(classes)
  const pulls = new Float64Array(classes)
  let likely = template
  let whole = 0
  for (let index = 0; index < classes; index++) {
    const count = profile[index] as number
    if (count === 0) continue
    likely += (likelyRates[index] as number) * count
    roots[index] = (weights[index] as number) * count
    whole += roots[index] as number
  }
  for (let index = 0; index < classes; index++) {
    roots[index] = Math.sqrt((roots[index] as number) / (whole || 1))
    pulls[index] = ((spreads[index] as number) * (profile[index] as number)) / likely
  }
  return { likely, roots, pulls }
}

/** Of all mixes, one after the other: prompts whose length does not matter. */
const madeOfMixes = (mixes: ReadonlyArray<Mix>): Made => {
  const roots = new Float64Array(mixes.length * classes)
  const pulls = new Float64Array(mixes.length * classes)
  for (let mix = 0; mix < mixes.length; mix++) {
    const own = (mixes[mix] as Mix).roots
    const from = mix * classes
    let likely = 0
    for (let index = 0; index < classes; index++) {
      const root = own[index] ?? 0
      const count = root ** 2 / (weights[index] as number)
      likely += count * (likelyRates[index] as number)
      roots[from + index] = root
      pulls[from + index] = (spreads[index] as number) * count
    }
    for (let at = from; at < from + classes; at++) pulls[at] = (pulls[at] as number) / (likely || 1)
  }
  return { roots, pulls }
}

/** How much what was learnt of the mix at one place says of the other: 1 is all. */
const likeness = (one: Made, here: number, other: Made, there: number): number => {
  let apart = 0
  for (let index = 0; index < classes; index++) {
    const gap = (one.roots[here * classes + index] as number) - (other.roots[there * classes + index] as number)
    apart += gap * gap
  }
  return Math.exp(-apart / (2 * reach))
}

/** What the spreads of the classes have in common in two prompts, as a covariance of their misses. */
const product = (one: Made, here: number, other: Made, there: number): number => {
  let sum = 0
  for (let index = 0; index < classes; index++) {
    sum += (one.pulls[here * classes + index] as number) * (other.pulls[there * classes + index] as number)
  }
  return sum
}

/** What stays in doubt of a prompt with these pulls, as a variance. */
const doubtOf = ({ pulls }: Made): number => {
  let sum = 0
  for (let index = 0; index < classes; index++) sum += (doubts[index] as number) * (pulls[index] as number) ** 2
  return sum
}

/** The spread of what is made like this, as a variance: `unexplained` are the squares that chance does not explain. */
const spreadOf = (mixes: ReadonlyArray<Mix>, unexplained: ArrayLike<number>, alike: ArrayLike<number>): number => {
  let squares = habitWeight * habit ** 2
  let prompts = habitWeight
  for (let index = 0; index < mixes.length; index++) {
    squares += (alike[index] as number) * (unexplained[index] as number)
    prompts += (alike[index] as number) * (mixes[index] as Mix).count
  }
  return Math.max(leastHabit ** 2, squares / prompts)
}

/** Turns a symmetric positive matrix, row by row, into its inverse. */
const invert = (matrix: Float64Array, size: number): void => {
  for (let pivot = 0; pivot < size; pivot++) {
    const by = 1 / (matrix[pivot * size + pivot] as number)
    matrix[pivot * size + pivot] = 1
    for (let column = 0; column < size; column++) {
      matrix[pivot * size + column] = (matrix[pivot * size + column] as number) * by
    }
    for (let row = 0; row < size; row++) {
      if (row === pivot) continue
      const factor = matrix[row * size + pivot] as number
      matrix[row * size + pivot] = 0
      for (let column = 0; column < size; column++) {
        const at = row * size + column
        matrix[at] = (matrix[at] as number) - factor * (matrix[pivot * size + column] as number)
      }
    }
  }
}

/** What was learnt, prepared so that a bound costs little. */
export interface Calibrated {
  readonly mixes: ReadonlyArray<Mix>
  readonly made: Made
  readonly unexplained: ReadonlyArray<number>
  /** Of the covariances of the mixes' mean misses. */
  readonly inverse: Float64Array
  /** Those means, weighted by it. */
  readonly weighted: ReadonlyArray<number>
}

/** Undefined if there is nothing, or nothing that was measured against these constants. */
export const calibratedBy = ({ version: of, mixes }: CalibrationState): Calibrated | undefined => {
  if (of !== version || mixes.length === 0) return undefined
  const size = mixes.length
  const made = madeOfMixes(mixes)
  const unexplained = mixes.map(({ count, sum, squares, noise }) =>
    Math.max(0, squares - sum ** 2 / count - (noise * (count - 1)) / count),
  )
  const inverse = new Float64Array(size * size)
  const alike = new Float64Array(size * size)
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      const like = likeness(made, row, made, column)
      const shared = product(made, row, made, column) * like
      alike[row * size + column] = alike[column * size + row] = like
      inverse[row * size + column] = inverse[column * size + row] = shared
    }
  }
  for (let row = 0; row < size; row++) {
    const { count, noise } = mixes[row] as Mix
    const spread = spreadOf(mixes, unexplained, alike.subarray(row * size, (row + 1) * size))
    const at = row * size + row
    inverse[at] = (inverse[at] as number) + (spread + noise / count) / count
  }
  invert(inverse, size)
  const weighted = mixes.map((_, row) =>
    mixes.reduce((sum, mix, column) => sum + ((inverse[row * size + column] as number) * mix.sum) / mix.count, 0),
  )
  return { mixes, made, unexplained, inverse, weighted }
}

export interface Estimate {
  /** What the prompt probably is, for settling by estimate. */
  readonly likely: number
  /** What it hardly ever exceeds. */
  readonly bound: number
}

/** Whole tokens of a text; `known` is what was learnt of the customer's prompts for this model. */
export const estimateOf = (profile: Profile, known?: Calibrated): Estimate => {
  const made = madeOf(profile)
  let miss = 0
  let variance = product(made, 0, made, 0)
  let spread = habit ** 2
  if (known !== undefined) {
    const { mixes, unexplained, inverse, weighted } = known
    const size = mixes.length
    const alike = mixes.map((_, mix) => likeness(made, 0, known.made, mix))
    const shared = mixes.map((_, mix) => product(made, 0, known.made, mix) * (alike[mix] as number))
    for (let row = 0; row < size; row++) {
      let part = 0
      for (let column = 0; column < size; column++) {
        part += (inverse[row * size + column] as number) * (shared[column] as number)
      }
      miss += (weighted[row] as number) * (shared[row] as number)
      variance -= part * (shared[row] as number)
    }
    variance = Math.max(0, variance) + doubtOf(made)
    spread = spreadOf(mixes, unexplained, alike)
  }
  const likely = made.likely * (1 + miss)
  const margin = sigmas * Math.sqrt(variance + spread + shortness(made.likely)) * made.likely
  return { likely: Math.ceil(likely), bound: Math.ceil(likely + margin) }
}

/** Misses beyond these are no text's: whoever reports them counts something else. */
const [leastMiss, mostMiss] = [-0.8, 3]

/** What one prompt with a reported count teaches. */
export const lessonOf = (profile: Profile, tokens: number): CalibrationState => {
  const { likely, roots } = madeOf(profile)
  const miss = Math.min(mostMiss, Math.max(leastMiss, tokens / likely - 1))
  const mix = { roots: Array.from(roots), count: 1, sum: miss, squares: miss ** 2, noise: shortness(likely) }
  return { version, mixes: [mix] }
}
