import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { ExportKey, keyOf, mostParts, partBytes, partOf, partsOf } from "../src/Exports.ts"
import { CustomerId } from "../src/Ids.ts"

describe("an export's key", () => {
  it("is the same on every try, and leads nowhere else", () => {
    assert.strictEqual(keyOf(CustomerId.make("c-ada"), 7), "c-ada/7.tar.gz.age")
    for (const wrong of [
      "../x/7.tar.gz.age",
      "ada/0.tar.gz.age",
      "ada/7.tar.gz",
      "/7.tar.gz.age",
      "a/b/7.tar.gz.age",
      "",
    ])
      assert.isFalse(Schema.is(ExportKey)(wrong), wrong)
  })

  it("names as many objects as its size needs, the first by the key itself", () => {
    const key = keyOf(CustomerId.make("c-ada"), 7)
    assert.deepStrictEqual(partsOf(key, 1), [key])
    assert.deepStrictEqual(partsOf(key, partBytes), [key])
    assert.deepStrictEqual(partsOf(key, partBytes + 1), [key, `${key}.2`])
    assert.strictEqual(partsOf(key, mostParts * partBytes).at(-1), partOf(key, mostParts - 1))
  })
})
