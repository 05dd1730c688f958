import { createHash, randomBytes } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { hashOf, isWellFormed, mint } from "../src/ProxyToken.ts"

const token = Redacted.value(mint(new Uint8Array(32).fill(7)))

describe("ProxyToken", () => {
  it("is well formed whatever the random bytes, always as long", () => {
    const made = [
      new Uint8Array(32),
      new Uint8Array(32).fill(255),
      ...Array.from({ length: 200 }, () => randomBytes(32)),
    ]
    for (const random of made) {
      const text = Redacted.value(mint(random))
      assert.match(text, /^bth_[0-9A-Za-z]{49}$/)
      assert.isTrue(isWellFormed(text))
    }
    assert.notStrictEqual(Redacted.value(mint(randomBytes(32))), Redacted.value(mint(randomBytes(32))))
  })

  it("refuses every text with one character changed, cut or added, without asking a store", () => {
    for (let index = 0; index < token.length; index++) {
      const other = token[index] === "x" ? "y" : "x"
      assert.isFalse(isWellFormed(token.slice(0, index) + other + token.slice(index + 1)), `position ${index}`)
    }
    for (const text of ["", "bth_", token.slice(0, -1), `${token}0`, ` ${token}`, token.replace("bth_", "sk-_")])
      assert.isFalse(isWellFormed(text))
  })

  it("is known by its SHA-256 and never printed", () => {
    assert.strictEqual(hashOf(token), createHash("sha256").update(token).digest("hex"))
    assert.notInclude(String(mint(new Uint8Array(32).fill(7))), token)
    assert.notInclude(JSON.stringify(mint(new Uint8Array(32).fill(7))), token)
  })
})
