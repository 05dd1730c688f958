/**
 * Finds the constants of PromptBound.ts again: likely tokens and their spread per class, by maximum likelihood over the
 * part of the texts that is there to learn from, all vocabularies together. Prints them as source; takes some minutes.
 */
import { classes, classNames, profileOf } from "../src/ByteClasses.ts"
import { leastLikely, leastSpread, noiseOf, template } from "../src/PromptBound.ts"
import { kindNames } from "../test/texts/Kinds.ts"
import { requestsOf } from "../test/texts/Requests.ts"
import { promptTokensOf, tokenizers } from "../test/texts/Tokenizers.ts"

const perKind = Number(process.argv[2] ?? 40)
const steps = 1_500

const samples = (["agent", ...kindNames] as const).flatMap((kind) =>
  requestsOf(kind, "learnt", perKind).flatMap((body) => {
    const profile = profileOf(Buffer.from(JSON.stringify(body)))
    return Object.values(tokenizers).map((count) => ({ profile, tokens: promptTokensOf(body, count) }))
  }),
)

/** Logarithms of the likely counts, then of the spreads; Adam walks them downhill. */
const parameters = new Float64Array(2 * classes).fill(Math.log(0.4), 0, classes).fill(Math.log(0.1), classes)
const [gradient, mean, square] = [0, 1, 2].map(() => new Float64Array(2 * classes)) as [
  Float64Array,
  Float64Array,
  Float64Array,
]

const at = (values: Float64Array, index: number): number => values[index] as number

for (let step = 1; step <= steps; step++) {
  gradient.fill(0)
  const values = parameters.map(Math.exp)
  for (const { profile, tokens } of samples) {
    let likely = template
    let variance = 0
    for (let index = 0; index < classes; index++) {
      likely += at(values, index) * at(profile, index)
      variance += (at(values, classes + index) * at(profile, index)) ** 2
    }
    variance += noiseOf(likely) * likely ** 2
    const miss = tokens - likely
    const byVariance = 0.5 / variance - (0.5 * miss * miss) / variance ** 2
    for (let index = 0; index < classes; index++) {
      const count = at(profile, index)
      if (count === 0) continue
      gradient[index] = at(gradient, index) - (miss / variance) * at(values, index) * count
      gradient[classes + index] =
        at(gradient, classes + index) + byVariance * 2 * (at(values, classes + index) * count) ** 2
    }
  }
  const rate = step < steps * 0.7 ? 0.03 : 0.005
  for (let index = 0; index < parameters.length; index++) {
    const slope = at(gradient, index) / samples.length
    mean[index] = 0.9 * at(mean, index) + 0.1 * slope
    square[index] = 0.99 * at(square, index) + 0.01 * slope ** 2
    const moved = at(parameters, index) - (rate * at(mean, index)) / (Math.sqrt(at(square, index)) + 1e-9)
    parameters[index] = Math.max(moved, Math.log(1e-3))
  }
}

const [likely, spread] = [0, classes].map((from) =>
  Array.from(parameters.subarray(from, from + classes), (value) => Math.exp(value)),
) as [Array<number>, Array<number>]
for (const [index, name] of classNames.entries()) {
  const rate = Math.max(leastLikely, likely[index] ?? 0)
  const width = Math.max(spread[index] ?? 0, leastSpread(rate))
  console.log(`  ${name}: [${rate.toFixed(2)}, ${width.toFixed(2)}],`)
}
