/** What a call is counted at whose upstream did not say, or said it in the midst: from what was seen, and never above it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { check } from "../src/Check.ts"
import { countOf } from "../src/Conclude.ts"
import { ofStream } from "../src/UsageScan/Stream.ts"
import { type KindName, textOf } from "./texts/Kinds.ts"
import { randomOf } from "./texts/Random.ts"
import { tokenizerNames, tokenizers } from "./texts/Tokenizers.ts"
import * as World from "./World.ts"

const checked = Effect.runSync(check(Buffer.from(JSON.stringify(World.chatBody())), "pro"))
const broken = { _tag: "Broken" } as const

/** A stream of this text, in pieces of so many characters; all of it, or its first events. */
const seen = (text: string, pieceLength: number, events: number) => {
  const scan = ofStream(true)
  const pieces = text.match(new RegExp(`[^]{1,${pieceLength}}`, "gu")) ?? []
  const shown = pieces.slice(0, events)
  for (const content of shown) {
    scan.push(Buffer.from(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`))
  }
  return {
    text: shown.join(""),
    call: { usage: scan.usage(), counted: scan.counted(), textBytes: scan.textBytes(), ending: broken },
  }
}

describe("the estimate of an answer that broke off", () => {
  const kinds: ReadonlyArray<KindName> = ["English", "Chinese", "Chinese prose", "code", "JSON", "base64"]
  for (const kind of kinds) {
    it(`is hardly ever above what real tokenizers count in the text that came, and never in the long run (${kind})`, () => {
      const random = randomOf(7)
      const texts = 100
      for (const name of tokenizerNames) {
        let [estimates, truths, above] = [0, 0, 0]
        for (let index = 0; index < texts; index++) {
          const whole = textOf(kind, random, "unseen", 60 + random.below(3_000))
          const { text, call } = seen(whole, 1 + random.below(12), 1 + random.below(300))
          const { usage, estimated } = countOf(call, checked, 1_000_000)
          assert.isTrue(estimated)
          assert.strictEqual(usage.prompt, checked.likelyPrompt)
          const truth = tokenizers[name](text)
          estimates += usage.completion
          truths += truth
          if (usage.completion > truth) above++
        }
        assert.isAtMost(above, texts * 0.03, name)
        assert.isBelow(estimates, truths, name)
      }
    }, 60_000)
  }

  it("is never above a token a byte, nor above what was asked for, whatever the text", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(50),
        (whole, length, asked) => {
          const { text, call } = seen(whole, length, whole.length)
          const { usage } = countOf(call, checked, asked)
          assert.isAtMost(usage.completion, Math.min(asked, Buffer.byteLength(text)))
        },
      ),
    )
  })

  it("takes the prompt, and the least of the completion, from a report in its midst", () => {
    const usage = { prompt: 77, cached: 7, completion: 3, reasoning: 0 }
    const call = { usage, counted: false, textBytes: 600, ending: broken }
    assert.deepStrictEqual(countOf(call, checked, 1_000), { usage: { ...usage, completion: 100 }, estimated: true })
    assert.strictEqual(countOf({ ...call, textBytes: 0 }, checked, 1_000).usage.completion, 3)
  })
})

describe("the count of an answer", () => {
  const usage = { prompt: 77, cached: 7, completion: 3, reasoning: 0 }
  const call = { usage, counted: true, textBytes: 600, ending: broken }

  it("is what the upstream says of the whole of it, even if it broke off behind that", () => {
    assert.deepStrictEqual(countOf(call, checked, 1_000), { usage, estimated: false })
    const complete = { ...call, counted: false, ending: { _tag: "Complete" } as const }
    assert.deepStrictEqual(countOf(complete, checked, 1_000), { usage, estimated: false })
  })

  it("is not what no model can have read or written", () => {
    // A part that no column of the ledger holds would keep everything behind it from being recorded.
    const parts = [{ cached: 3_000_000_000 }, { reasoning: 3_000_000_000 }]
    for (const absurd of [{ prompt: 262_145 }, { completion: 262_145 }, ...parts]) {
      const counted = countOf({ ...call, usage: { ...usage, ...absurd } }, checked, 1_000)
      assert.isTrue(counted.estimated)
      assert.isAtMost(counted.usage.prompt + counted.usage.completion, checked.likelyPrompt + 100)
    }
  })
})
