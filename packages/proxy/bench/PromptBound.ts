/**
 * `npm run bench:bound [-- --json] [-- --samples N]`: what the prompt's bound costs, and how often and how far it is off,
 * by kind of text and by tokenizer, on texts that neither its constants nor its calibration ever saw. Prints Markdown.
 */
import { merge } from "@berth/domain/Calibration/Merge"
import type { CalibrationState } from "@berth/domain/Calibration"
import { profileOf } from "../src/ByteClasses.ts"
import { type Calibrated, calibratedBy, estimateOf, lessonOf, version } from "../src/PromptBound.ts"
import { openClawBody } from "../test/OpenClawBody.ts"
import { kindNames } from "../test/texts/Kinds.ts"
import { type RequestKind, requestsOf } from "../test/texts/Requests.ts"
import type { Part } from "../test/texts/Sources.ts"
import { promptTokensOf, type TokenizerName, tokenizerNames, tokenizers } from "../test/texts/Tokenizers.ts"

const args = process.argv.slice(2)
const samples = Number(args.includes("--samples") ? args[args.indexOf("--samples") + 1] : 100)
const lessons = 40
const kinds: ReadonlyArray<RequestKind> = ["agent", ...kindNames]

const quantile = (values: ReadonlyArray<number>, share: number): number =>
  [...values].sort((one, other) => one - other)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

/** Nanoseconds a call takes, in the median of some rounds. */
const nanos = (run: () => unknown): number => {
  for (let warm = 0; warm < 500; warm++) run()
  const rounds = Array.from({ length: 15 }, () => {
    const begun = performance.now()
    for (let time = 0; time < 100; time++) run()
    return ((performance.now() - begun) * 1e6) / 100
  })
  return quantile(rounds, 0.5)
}

const learn = (from: ReadonlyArray<Sample>, tokenizer: TokenizerName): CalibrationState =>
  from.reduce<CalibrationState>((state, { profile, tokens }) => merge(state, lessonOf(profile, tokens[tokenizer])), {
    version,
    mixes: [],
  })

interface Sample {
  readonly profile: Float64Array
  readonly tokens: Readonly<Record<TokenizerName, number>>
}
const samplesOf = (kind: RequestKind, part: Part, count: number): ReadonlyArray<Sample> =>
  requestsOf(kind, part, count).map((body) => ({
    profile: profileOf(Buffer.from(JSON.stringify(body))),
    tokens: Object.fromEntries(
      tokenizerNames.map((name) => [name, promptTokensOf(body, tokenizers[name])]),
    ) as Sample["tokens"],
  }))

const learnt = new Map(kinds.map((kind) => [kind, samplesOf(kind, "learnt", lessons)]))
const unseen = new Map(kinds.map((kind) => [kind, samplesOf(kind, "unseen", samples)]))

/** How the bound does on samples: how many are above it, in percent, and its ratio to the truth. */
const judge = (of: ReadonlyArray<Sample>, tokenizer: TokenizerName, known?: Calibrated) => {
  const ratios = of.map(({ profile, tokens }) => estimateOf(profile, known).bound / tokens[tokenizer])
  return {
    excess: (100 * ratios.filter((ratio) => ratio < 1).length) / ratios.length,
    median: quantile(ratios, 0.5),
    p95: quantile(ratios, 0.95),
  }
}

const rows = tokenizerNames.flatMap((tokenizer) => {
  const states = new Map(kinds.map((kind) => [kind, calibratedBy(learn(learnt.get(kind) ?? [], tokenizer))]))
  return kinds.map((kind) => {
    const of = unseen.get(kind) ?? []
    const others = kinds.filter((other) => other !== kind)
    const strangers = others.map((other) => ({ other, ...judge(of, tokenizer, states.get(other)) }))
    const worst = strangers.reduce((one, other) => (other.excess > one.excess ? other : one))
    return {
      kind,
      tokenizer,
      safe: judge(of, tokenizer),
      calibrated: judge(of, tokenizer, states.get(kind)),
      calibratedOnOthers: { pairs: others.length, worst: worst.other, excess: worst.excess },
    }
  })
})

const body = Buffer.from(JSON.stringify(openClawBody()))
const text = body.toString()
const profile = profileOf(body)
const agent = learn(learnt.get("agent") ?? [], "deepseek")
const calibrated = calibratedBy(agent)
const parse = nanos(() => JSON.parse(text))
const profiled = nanos(() => profileOf(body))
const cost = {
  bytes: body.length,
  profileNanosPerByte: profiled / body.length,
  profileToJsonParse: profiled / parse,
  boundNanos: nanos(() => estimateOf(profile)),
  calibratedBoundNanos: nanos(() => estimateOf(profile, calibrated)),
  /** With what it takes to prepare the next bound. */
  lessonNanos: nanos(() => calibratedBy(merge(agent, lessonOf(profile, 14_000)))),
}

if (args.includes("--json")) {
  console.log(JSON.stringify({ samples, lessons, cost, rows }, undefined, 2))
} else {
  const { bytes, profileNanosPerByte, profileToJsonParse, boundNanos, calibratedBoundNanos, lessonNanos } = cost
  console.log(`Cost on ${bytes} bytes shaped as OpenClaw's: profile ${profileNanosPerByte.toFixed(2)} ns a byte`)
  console.log(`(${profileToJsonParse.toFixed(2)} of JSON.parse), bound ${(boundNanos / 1e3).toFixed(1)} µs,`)
  console.log(
    `calibrated ${(calibratedBoundNanos / 1e3).toFixed(1)} µs, lesson ${(lessonNanos / 1e3).toFixed(1)} µs.\n`,
  )
  const percent = (value: number) => (value === 0 ? "0" : `${value.toFixed(1)}%`)
  const cells = ({ excess, median, p95 }: (typeof rows)[number]["safe"]) =>
    `${percent(excess)} | ${median.toFixed(2)} | ${p95.toFixed(2)}`
  for (const tokenizer of tokenizerNames) {
    console.log(`| ${tokenizer} | safe: excess | median | p95 | calibrated: excess | median | p95 | after others |`)
    console.log("|---|--:|--:|--:|--:|--:|--:|--:|")
    for (const { kind, safe, calibrated, calibratedOnOthers } of rows.filter((row) => row.tokenizer === tokenizer)) {
      const { excess, worst } = calibratedOnOthers
      const strangers = excess === 0 ? "0" : `${percent(excess)} (${worst})`
      console.log(`| ${kind} | ${cells(safe)} | ${cells(calibrated)} | ${strangers} |`)
    }
    console.log()
  }
}
