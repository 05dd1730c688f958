/** Real tokenizers against the bound, on texts that neither its constants nor its calibration ever saw. */
import { merge } from "@berth/domain/Calibration/Merge"
import type { CalibrationState } from "@berth/domain/Calibration"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { addProfile, classes, type ClassName, classNames, profileOf } from "../src/ByteClasses.ts"
import { type Calibrated, calibratedBy, estimateOf, lessonOf, version } from "../src/PromptBound.ts"
import { kindNames } from "./texts/Kinds.ts"
import { type RequestKind, requestsOf } from "./texts/Requests.ts"
import { promptTokensOf, type TokenizerName, tokenizers } from "./texts/Tokenizers.ts"

const bytes = (text: string) => Buffer.from(text)
const sumOf = (profile: Float64Array) => profile.reduce((sum, count) => sum + count, 0)
const shareOf = (text: string, ...names: ReadonlyArray<ClassName>) => {
  const profile = profileOf(bytes(text))
  const counted = names.reduce((sum, name) => sum + (profile[classNames.indexOf(name)] ?? 0), 0)
  return counted / sumOf(profile)
}

describe("the profile of a text", () => {
  it("counts every byte once at most, wherever the text is parted", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (any, cut) => {
        const whole = profileOf(any)
        assert.isAtMost(sumOf(whole), any.length)
        const parted = new Float64Array(classes)
        const at = Math.min(cut, any.length)
        addProfile(parted, any, 0, at)
        addProfile(parted, any, at, any.length)
        // Only what stands on both sides of the cut can have lost its neighbour.
        let apart = 0
        for (let index = 0; index < classes; index++) apart += Math.abs((whole[index] ?? 0) - (parted[index] ?? 0))
        assert.isAtMost(apart, 2)
      }),
    )
  })
  it("tells what is made of the same letters apart", () => {
    assert.isAbove(shareOf("the agent reads the newest mails every morning and answers them ", "usual", "word"), 0.9)
    assert.isAbove(shareOf("fqcpslxfutramhxhtsgaufhdmzgcwikzhkfw", "strange"), 0.4)
    assert.isAbove(shareOf("nMfKSC4oWTOaCs3rUSpbXmqhD9pf0tz9qxn1", "hump", "capital", "mixed", "strange"), 0.6)
    assert.isAbove(shareOf("3919b7e3cba074e4cb40c3417f31d56f463d", "mixed", "number", "digit"), 0.8)
    assert.isAbove(shareOf("助手每天早上阅读最新的邮件", "ideograph"), 0.8)
    assert.isBelow(shareOf("贗忱胡哳繘裊獦韰悻趫詷菮传珿暇", "ideograph"), 0.7)
    assert.strictEqual(shareOf("Привет", "cyrillic"), 1)
    assert.strictEqual(shareOf("🤠🦺🚾", "emoji"), 1)
  })
})

interface Sample {
  readonly profile: Float64Array
  readonly tokens: number
}

/** Prompts of a kind, as one tokenizer counts them. */
const samples = (kind: RequestKind, part: "learnt" | "unseen", count: number, tokenizer: TokenizerName) =>
  requestsOf(kind, part, count, 2_500).map((body): Sample => ({
    profile: profileOf(bytes(JSON.stringify(body))),
    tokens: promptTokensOf(body, tokenizers[tokenizer]),
  }))
const stateOf = (from: ReadonlyArray<Sample>): CalibrationState =>
  from.reduce<CalibrationState>((state, { profile, tokens }) => merge(state, lessonOf(profile, tokens)), {
    version,
    mixes: [],
  })

const learn = (from: ReadonlyArray<Sample>): Calibrated | undefined => calibratedBy(stateOf(from))

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((one, other) => one - other)[values.length >> 1] ?? Number.NaN

/** In how many of these samples the truth is above the bound. */
const excess = (of: ReadonlyArray<Sample>, known?: Calibrated): number =>
  of.filter(({ profile, tokens }) => tokens > estimateOf(profile, known).bound).length

describe("the prompt's bound, on texts that it never saw", () => {
  const count = 50
  // DeepSeek's vocabulary for Chinese, as Kimi's; cl100k, which makes the most of nearly everything.
  for (const tokenizer of ["deepseek", "cl100k"] as const) {
    const unseen = new Map<RequestKind, ReadonlyArray<Sample>>()
    const of = (kind: RequestKind): ReadonlyArray<Sample> => {
      const known = unseen.get(kind) ?? samples(kind, "unseen", kind === "agent" ? 16 : count, tokenizer)
      unseen.set(kind, known)
      return known
    }

    it(
      `is exceeded by none of ${count} of each kind before anything is learnt (${tokenizer})`,
      { timeout: 120_000 },
      () => {
        for (const kind of ["agent", ...kindNames] as const) assert.strictEqual(excess(of(kind)), 0, kind)
      },
    )

    /** What a customer only ever sent, and how far above the truth the bound of more of it may then be, in the median. */
    const calibratedOn = {
      agent: 1.25,
      English: 1.6,
      Chinese: 1.6,
      code: 1.5,
      JSON: 1.35,
      base64: 1.2,
      // Scripts that other languages share.
      Russian: 1.8,
      Czech: 1.4,
    } as const
    for (const [kind, most] of Object.entries(calibratedOn) as ReadonlyArray<[RequestKind, number]>) {
      it(
        `is close, and not exceeded by texts of any kind, for a customer who only ever sent ${kind} (${tokenizer})`,
        { timeout: 120_000 },
        () => {
          const known = learn(samples(kind, "learnt", kind === "agent" ? 16 : 30, tokenizer))
          for (const other of ["agent", ...kindNames] as const) assert.strictEqual(excess(of(other), known), 0, other)
          const ratios = of(kind).map(({ profile, tokens }) => estimateOf(profile, known).bound / tokens)
          assert.isBelow(median(ratios), most)
        },
      )
    }
  }
})

describe("the estimate", () => {
  const profile = profileOf(bytes("The agent reads the newest mails every morning. ".repeat(40)))
  const known = learn(Array.from({ length: 20 }, () => ({ profile, tokens: 400 })))

  it("is never above the bound, and follows what was learnt", () => {
    assert.approximately(estimateOf(profile, known).likely, 400, 20)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.boolean(), (any, calibrated) => {
        const { likely, bound } = estimateOf(profileOf(any), calibrated ? known : undefined)
        assert.isAtMost(likely, bound)
        assert.isAbove(likely, 0)
      }),
    )
  })
  it("heeds nothing that was measured against other constants", () => {
    const state = stateOf([{ profile, tokens: 400 }])
    assert.isDefined(calibratedBy(state))
    assert.isUndefined(calibratedBy({ ...state, version: version + 1 }))
    assert.isUndefined(calibratedBy({ version, mixes: [] }))
  })
  it("is not led astray far by reports that no text can have", () => {
    for (const tokens of [1, 1_000_000]) {
      const { bound } = estimateOf(profile, learn(Array.from({ length: 50 }, () => ({ profile, tokens }))))
      assert.isAbove(bound, 50)
      assert.isBelow(bound, 4 * bytes("The agent reads the newest mails every morning. ".repeat(40)).length)
    }
  })
  it("is wary after few prompts and surer after many", () => {
    const after = (count: number) =>
      estimateOf(profile, learn(Array.from({ length: count }, () => ({ profile, tokens: 400 })))).bound
    assert.isBelow(after(50), after(3))
    assert.isAbove(after(10_000), 408)
  })
})
