import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { boundRates, likelyRates, profileOf, tokensOf } from "../src/PromptBound.ts"

const english =
  "The agent reads the newest mails every morning and tells me which of them need an answer today. ".repeat(40)
const chinese = "助手每天早上阅读最新的邮件，并告诉我哪些需要今天回复。".repeat(60)
const code = 'const total = rows.filter((row) => row.open).map(({ cents }) => cents / 100).join(", ");\n'.repeat(40)
const base64 = Buffer.from(Array.from({ length: 6_000 }, (_, index) => (index * 197 + 31) % 256)).toString("base64")

const bytes = (text: string) => Buffer.from(text)

describe("the profile of a text", () => {
  it("accounts for every byte once", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_000 }), (any) => {
        const { letters, dense, wide, unbroken } = profileOf(any)
        assert.strictEqual(letters + dense + wide + unbroken, any.length)
        assert.isTrue([letters, dense, wide, unbroken].every((one) => one >= 0))
      }),
    )
  })
  it("tells prose, Chinese, code and base64 apart", () => {
    assert.isAbove(profileOf(bytes(english)).letters, english.length * 0.95)
    assert.isAbove(profileOf(bytes(chinese)).wide, bytes(chinese).length * 0.95)
    assert.isAbove(profileOf(bytes(code)).dense, code.length * 0.2)
    assert.isAbove(profileOf(bytes(base64)).unbroken, base64.length * 0.95)
    assert.strictEqual(profileOf(bytes(english)).unbroken, 0)
  })
})

describe("the prompt's bound", () => {
  const bound = (text: string) => tokensOf(profileOf(bytes(text)), boundRates)
  it("is above what tokenizers make of each kind, and not absurdly so", () => {
    // Tokens per character or byte as BPE vocabularies of about 150,000 entries make them.
    for (const [text, tokens] of [
      [english, english.length / 4.6],
      [chinese, chinese.length * 0.75],
      [code, code.length / 3],
      [base64, base64.length * 0.75],
    ] as const) {
      assert.isAbove(bound(text), tokens)
      assert.isBelow(bound(text), tokens * 3)
    }
  })
  it("is never below the likely count, and grows with the text", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (any) => {
        assert.isAtLeast(tokensOf(profileOf(any), boundRates), tokensOf(profileOf(any), likelyRates))
      }),
    )
    assert.isAbove(bound(english + english), bound(english))
  })
  it("never counts fewer tokens than a text of single rare signs can have by half", () => {
    assert.isAbove(bound("🦀".repeat(1_000)), 2_000)
  })
})
