import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Redacted from "effect/Redacted"
import { mint } from "@berth/domain/ProxyToken"
import { filterSecrets } from "../../src/onboarding/SecretFilter.ts"

const alphabet = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"]
const secretPart = fc
  .array(fc.constantFrom(...alphabet), { minLength: 30, maxLength: 46 })
  .map((parts) => parts.join(""))
const botToken = fc.tuple(fc.integer({ min: 100_000, max: 999_999_999_999 }), secretPart).map(([id, secret]) => ({
  id,
  secret,
  token: `${id}:${secret}`,
}))

describe("the secret filter", () => {
  it("lets no bot token through, whatever stands around it", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: "grapheme" }), botToken)), fc.string(), (parts, end) => {
        const filtered = filterSecrets(parts.map(([before, { token }]) => before + token).join("") + end)
        for (const [, { secret }] of parts) assert.notInclude(filtered.text, secret)
        assert.strictEqual(filterSecrets(filtered.text).text, filtered.text)
        assert.strictEqual(filterSecrets(filtered.text).botTokens.length, 0)
      }),
      { numRuns: 500 },
    )
  })

  it("hands the token over whole, and only there", () => {
    const token = "7123456789:AAHk3vJx0PqYz1234567890abcdefghijkl"
    const filtered = filterSecrets(`Use this token:\n${token}\nThanks`)
    assert.deepStrictEqual(filtered.botTokens.map(Redacted.value), [token])
    assert.strictEqual(filtered.text, "Use this token:\n[bot token]\nThanks")
    assert.notInclude(JSON.stringify(filtered), token)
  })

  it.each([
    Redacted.value(mint(new Uint8Array(32).fill(7))),
    "sk-proj-abcdefghijklmnopqrstuvwxyz012345",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
    "xoxb-1234567890-abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk",
    "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ",
    "4242 4242 4242 4242",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
  ])("takes out %s", (secret) => {
    const filtered = filterSecrets(`before ${secret} after`)
    assert.notInclude(filtered.text, secret)
    assert.match(filtered.text, /^before \[[a-zA-Z ]+\] after$/)
  })

  it.each(["Help me write Python and review my PRs", "about 10 messages a day", "call +49 151 12345678", "at 10:30"])(
    "leaves %s alone",
    (text) => {
      assert.deepStrictEqual(filterSecrets(text), { text, botTokens: [], removed: [] })
    },
  )
})
