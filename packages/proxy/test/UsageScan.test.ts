/** The scanner of answers against a slow reference, over every way in which bytes can be cut into chunks. */
import { assert, describe, it } from "@effect/vitest"
import type { Usage } from "@berth/domain/Usage"
import * as fc from "fast-check"
import { usageOf } from "../src/UsageReport.ts"
import * as UsageScan from "../src/UsageScan.ts"

const counts = fc.record({
  prompt_tokens: fc.nat(1_000_000),
  completion_tokens: fc.nat(100_000),
  cached_tokens: fc.option(fc.nat(1_000), { nil: undefined }),
  prompt_tokens_details: fc.option(fc.record({ cached_tokens: fc.nat(1_000) }), { nil: undefined }),
  completion_tokens_details: fc.option(fc.record({ reasoning_tokens: fc.nat(1_000) }), { nil: undefined }),
})
const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constantFrom('"usage":{"prompt_tokens":9}', "data: [DONE]\n\n", "你好，世界", "🦀".repeat(20), '\\"usage\\"'),
)
const chunk = fc.oneof(
  {
    weight: 8,
    arbitrary: text.map((content) => ({ choices: [{ index: 0, delta: { content } }], usage: null as unknown })),
  },
  { weight: 1, arbitrary: text.map((content) => ({ choices: [{ index: 0, delta: { content } }] })) },
  {
    weight: 1,
    arbitrary: counts.map((usage) => ({ choices: [{ index: 0, delta: {}, finish_reason: "stop", usage }] })),
  },
  { weight: 1, arbitrary: counts.map((usage) => ({ choices: [], usage })) },
  { weight: 1, arbitrary: counts.map((usage) => ({ choices: [{ index: 0, delta: {} }], usage })) },
)
const stream = fc.tuple(
  fc.array(chunk, { maxLength: 12 }),
  fc.constantFrom("\n\n", "\r\n\r\n"),
  fc.constantFrom("data: ", "data:"),
)
const cuts = fc.array(fc.nat(), { maxLength: 30 })

const cut = (bytes: Buffer, at: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const places = [0, ...at.map((one) => one % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((to, index) => bytes.subarray(places[index], to))
}

const run = (scan: UsageScan.UsageScan, chunks: ReadonlyArray<Buffer>): Buffer => {
  const out = chunks.map((one) => scan.push(one)).filter((one) => one !== undefined)
  const last = scan.end()
  return Buffer.concat(last === undefined ? out : [...out, last])
}

/** The last usage in the chunks, by plain parsing. */
const reference = (chunks: ReadonlyArray<any>): Usage | undefined =>
  (JSON.parse(JSON.stringify(chunks)) as ReadonlyArray<any>).reduce<Usage | undefined>(
    (last, { usage, choices }) => usageOf(usage) ?? usageOf(choices[0]?.usage) ?? last,
    undefined,
  )

describe("a scanned stream", () => {
  it("has the usage of its last report, however it is cut, and passes on every byte to a client that asked", () => {
    fc.assert(
      fc.property(stream, cuts, ([chunks, end, prefix], at) => {
        const bytes = Buffer.from(
          [...chunks.map((one) => `${prefix}${JSON.stringify(one)}${end}`), `data: [DONE]${end}`].join(""),
        )
        const scan = UsageScan.ofStream(true)
        const out = run(scan, cut(bytes, at))
        assert.isTrue(out.equals(bytes))
        assert.deepStrictEqual(scan.usage(), reference(chunks))
      }),
      { numRuns: 3_000 },
    )
  })

  it("keeps exactly the usage-only chunks from a client that did not ask", () => {
    fc.assert(
      fc.property(stream, cuts, ([chunks, end, prefix], at) => {
        const event = (one: unknown) => `${prefix}${JSON.stringify(one)}${end}`
        const bytes = Buffer.from([...chunks.map(event), `data: [DONE]${end}`].join(""))
        const shown = chunks.filter((one) => one.choices.length > 0)
        const scan = UsageScan.ofStream(false)
        const out = run(scan, cut(bytes, at))
        assert.strictEqual(out.toString(), [...shown.map(event), `data: [DONE]${end}`].join(""))
        assert.deepStrictEqual(scan.usage(), reference(chunks))
      }),
      { numRuns: 3_000 },
    )
  })

  it("that ends in the midst of an event still gives what it carried", () => {
    const scan = UsageScan.ofStream(false)
    const whole = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    const half = 'data: {"choices":[{"index":0,"del'
    assert.strictEqual(run(scan, [Buffer.from(whole + half)]).toString(), whole + half)
    assert.isUndefined(scan.usage())
  })

  it("with an event too large to hold passes on unread, and no more is held", () => {
    for (const shows of [true, false]) {
      const scan = UsageScan.ofStream(shows)
      const piece = Buffer.alloc(512 * 1024, "x")
      const chunks = [Buffer.from("data: {"), ...Array.from({ length: 8 }, () => piece)]
      assert.strictEqual(run(scan, chunks).length, 7 + 8 * piece.length)
    }
  })

  it("knows about how many bytes of text it carried", () => {
    const scan = UsageScan.ofStream(true)
    for (let index = 0; index < 100; index++) {
      scan.push(Buffer.from(`data: {"id":"x","choices":[{"index":0,"delta":{"content":"word "}}],"usage":null}\n\n`))
    }
    assert.strictEqual(scan.textBytes(), 500)
  })
})

describe("a scanned answer in one piece", () => {
  it("that breaks off has no usage, and as much text as bytes came", () => {
    const scan = UsageScan.ofJson()
    run(scan, [Buffer.from('{"choices":[{"message":{"content":"Hello')])
    assert.isUndefined(scan.usage())
    assert.strictEqual(scan.textBytes(), 40)
  })

  it("has its usage, however it is cut, and passes on every byte", () => {
    fc.assert(
      fc.property(counts, text, cuts, (usage, content, at) => {
        const bytes = Buffer.from(JSON.stringify({ choices: [{ message: { content } }], usage }))
        const scan = UsageScan.ofJson()
        assert.isTrue(run(scan, cut(bytes, at)).equals(bytes))
        assert.deepStrictEqual(scan.usage(), usageOf(JSON.parse(JSON.stringify(usage))))
      }),
    )
  })
})

describe("a usage report", () => {
  it("is read in both spellings of cached tokens, and is none without its counts", () => {
    const plain = { prompt_tokens: 10, completion_tokens: 2 }
    assert.deepStrictEqual(usageOf({ ...plain, cached_tokens: 4 }), {
      prompt: 10,
      cached: 4,
      completion: 2,
      reasoning: 0,
    })
    assert.deepStrictEqual(usageOf({ ...plain, prompt_tokens_details: { cached_tokens: 4 } })?.cached, 4)
    assert.deepStrictEqual(usageOf({ ...plain, completion_tokens_details: { reasoning_tokens: 1 } })?.reasoning, 1)
    for (const none of [
      null,
      undefined,
      3,
      {},
      { prompt_tokens: -1, completion_tokens: 1 },
      { prompt_tokens: 1.5, completion_tokens: 1 },
    ]) {
      assert.isUndefined(usageOf(none))
    }
  })
})
