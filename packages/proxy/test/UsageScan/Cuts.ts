/** Ways to hand bytes to a scanner piece by piece. */
import * as fc from "fast-check"
import type { UsageScan } from "../../src/UsageScan.ts"

/** Where to cut, as numbers that are taken modulo the length. */
export const cuts = fc.oneof(
  fc.array(fc.nat(), { maxLength: 30 }),
  // Each byte by itself.
  fc.constant("everywhere" as const),
)

export const cut = (bytes: Buffer, at: ReadonlyArray<number> | "everywhere"): ReadonlyArray<Buffer> => {
  if (at === "everywhere") return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
  const places = [0, ...at.map((one) => one % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((to, index) => bytes.subarray(places[index], to))
}

/** Everything that a scanner shows. */
export const run = (scan: UsageScan, chunks: ReadonlyArray<Buffer>): Buffer => {
  const out = chunks.map((one) => scan.push(one)).filter((one) => one !== undefined)
  const last = scan.end()
  return Buffer.concat(last === undefined ? out : [...out, last])
}

/** The counts of a report, in any of Kimi's spellings, and some that are none. */
export const counts = fc.record({
  prompt_tokens: fc.nat(1_000_000),
  completion_tokens: fc.nat(100_000),
  cached_tokens: fc.option(fc.nat(1_000), { nil: undefined }),
  prompt_tokens_details: fc.option(fc.record({ cached_tokens: fc.nat(1_000) }), { nil: undefined }),
  completion_tokens_details: fc.option(fc.record({ reasoning_tokens: fc.nat(1_000) }), { nil: undefined }),
})
export const noCounts = fc.constantFrom<unknown>(
  null,
  {},
  { prompt_tokens: -1, completion_tokens: 2 },
  { prompt_tokens: 1e300, completion_tokens: 2 },
  { prompt_tokens: "3", completion_tokens: 2 },
)

/** Texts, with everything in them that could be mistaken for something else. */
export const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constantFrom(
    '"usage":{"prompt_tokens":9,"completion_tokens":9}',
    '{"error":{"message":"no"}}',
    "data: [DONE]\n\n",
    "event: error\ndata: x\n\n",
    "你好，世界",
    "🦀".repeat(20),
    '\\"usage\\"',
    '"content":"x"',
    "\\",
    "usage",
    "error",
  ),
)
