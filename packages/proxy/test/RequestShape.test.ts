/** The scanner and the shaper against slow references: `JSON.parse` for what is accepted, parse-and-rebuild for what goes out. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { elementsAt, maxDepth, maxMembers, membersOf, valueAt } from "../src/JsonSpans.ts"
import { shapeOf } from "../src/RequestShape.ts"

const bytesOf = (text: string) => Buffer.from(text)

const parsed = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** JSON with odd white space, and sometimes a byte changed, dropped or doubled. */
const spaced = fc
  .tuple(
    fc.json({ maxDepth: 4 }),
    fc.constantFrom("", " ", "\n", "\t\r "),
    fc.nat(),
    fc.constantFrom("keep", "drop", "double", "change"),
    fc.constantFrom("0", "e", "-", ".", '"', "\\", "{", "}", "[", "]", ",", ":", "u", "\u0001", "t"),
  )
  .map(([json, space, at, how, other]) => {
    const text = space + json.replaceAll(",", `${space},`).replaceAll(":", `:${space}`) + space
    const index = at % (text.length + 1)
    if (how === "keep") return text
    return (
      text.slice(0, index) +
      (how === "drop" ? "" : how === "double" ? text.slice(index, index + 1).repeat(2) : other) +
      text.slice(index + 1)
    )
  })
const objectText = fc
  .tuple(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 6 }), fc.constantFrom(0, 2))
  .map(([value, indent]) => JSON.stringify(value, null, indent))

describe("the scanner", () => {
  it("accepts exactly the objects that JSON.parse accepts, whatever is done to the text", () => {
    fc.assert(
      fc.property(fc.oneof(spaced, objectText, fc.string()), (text) => {
        const reference = parsed(text)
        const found = membersOf(bytesOf(text))
        assert.strictEqual(found !== undefined, reference !== undefined && isObject(reference.value), text)
      }),
      { numRuns: 20_000 },
    )
  })

  it("yields each top-level member's own bytes", () => {
    fc.assert(
      fc.property(objectText, (text) => {
        const bytes = bytesOf(text)
        const members = membersOf(bytes) ?? []
        const rebuilt = members.map((one) => [
          valueAt(bytes, one.from, one.from + Buffer.byteLength(one.key) + 2),
          valueAt(bytes, one.valueFrom, one.to),
        ])
        assert.deepStrictEqual(rebuilt, Object.entries(JSON.parse(text)))
      }),
      { numRuns: 2_000 },
    )
  })

  it("yields the elements of an array", () => {
    const bytes = bytesOf('[1, "a,]", [2, {"b": 3}] ,null]')
    assert.deepStrictEqual(
      elementsAt(bytes, 0)?.map((one) => valueAt(bytes, one.from, one.to)),
      [1, "a,]", [2, { b: 3 }], null],
    )
  })

  it("refuses nesting beyond its limit without running out of stack", () => {
    const nested = (depth: number) => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`
    assert.isDefined(membersOf(bytesOf(nested(maxDepth - 2))))
    assert.isUndefined(membersOf(bytesOf(nested(maxDepth + 1))))
    assert.isUndefined(membersOf(bytesOf(nested(1_000_000))))
  })
})

const message = fc.record({ role: fc.constantFrom("system", "user"), content: fc.string() })
const known = fc.record(
  {
    model: fc.constantFrom("kimi-k2.6", "other"),
    messages: fc.array(message, { minLength: 1, maxLength: 3 }),
    stream: fc.option(fc.boolean()),
    stream_options: fc.option(fc.record({ include_usage: fc.boolean() })),
    max_tokens: fc.option(fc.integer({ min: 1, max: 100_000 })),
    max_completion_tokens: fc.option(fc.integer({ min: 1, max: 100_000 })),
    temperature: fc.double({ min: 0, max: 2, noNaN: true }),
    top_p: fc.double({ min: 0, max: 1, noNaN: true }),
    n: fc.constant(1),
    stop: fc.jsonValue(),
    thinking: fc.jsonValue(),
    tool_choice: fc.jsonValue(),
    user: fc.string(),
  },
  { requiredKeys: ["model", "messages"] },
)
const unlisted = fc.dictionary(
  fc
    .string({ minLength: 1 })
    .map((key) => `x_${key}`)
    .filter((key) => JSON.stringify(key) === `"${key}"`),
  fc.jsonValue(),
  { maxKeys: 4 },
)
const passed = ["model", "messages", "stop", "thinking", "tool_choice", "user"]

describe("the shaper", () => {
  it("sends the same bytes but for the spliced members, and nothing that is not listed", () => {
    fc.assert(
      fc.property(
        known,
        unlisted,
        fc.constantFrom(0, 1),
        fc.integer({ min: 1, max: 1_000_000 }),
        (listed, more, indent, completion) => {
          const input = { ...more, ...listed }
          const text = JSON.stringify(input, null, indent)
          const shaped = shapeOf(bytesOf(text))
          assert.isTrue(Result.isSuccess(shaped), text)
          const shape = Result.getOrThrow(shaped)
          const out = Buffer.from(shape.upstream("kimi-k2.6", completion)).toString()
          const expected: Record<string, unknown> = {}
          for (const key of Object.keys(input)) if (passed.includes(key)) expected[key] = (input as any)[key]
          expected["max_completion_tokens"] = completion
          if (listed.stream === true) {
            expected["stream"] = true
            expected["stream_options"] = { include_usage: true }
          }
          assert.deepStrictEqual(JSON.parse(out), JSON.parse(JSON.stringify(expected)))
          for (const key of passed.filter((one) => one in input)) {
            const member = membersOf(bytesOf(text))?.find((one) => one.key === key)
            const original = bytesOf(text).subarray(member?.from, member?.to).toString()
            assert.include(out, original)
          }
          assert.strictEqual(shape.completion, listed.max_completion_tokens ?? listed.max_tokens ?? undefined)
          assert.strictEqual(shape.stream, listed.stream === true)
          assert.strictEqual(shape.wantsUsage, listed.stream_options?.include_usage === true)
        },
      ),
      { numRuns: 3_000 },
    )
  })

  const base = '"model":"kimi-k2.6","messages":[{"role":"user","content":"x"}]'
  const refused = (body: string, words: RegExp, param: string | null) => {
    const shaped = shapeOf(bytesOf(body))
    assert.isTrue(Result.isFailure(shaped), body)
    const error = Result.isFailure(shaped) ? shaped.failure : undefined
    assert.match(error?.message ?? "", words)
    assert.strictEqual(error?.param, param)
  }

  it("refuses a top-level name given twice, since the upstream might read the other one", () => {
    refused(`{${base},"model":"kimi-k3"}`, /given twice/, "model")
    refused(`{${base},"x":1,"x":2}`, /given twice/, "x")
  })
  it("refuses a top-level name with escapes", () => {
    refused(`{${base},"mod\\u0065l":"kimi-k3"}`, /without escapes/, null)
  })
  it("does not take a name that begins with a byte order mark for the name without it", () => {
    refused('{"\ufeffmodel":"kimi-k2.6","messages":[{}]}', /is missing/, "model")
    const tool = '{"type":"function","function":{"\ufeffname":"look"}}'
    refused(`{${base},"tools":[${tool}]}`, /must have one `name`/, "tools")
  })
  it("refuses what would keep the process busy: objects of countless members, and countless tools", () => {
    const members = (count: number) => Array.from({ length: count }, (_, index) => `"a${index}":1`).join(",")
    refused(`{${base},${members(maxMembers)}}`, /at most 256 members/, null)
    refused(`{${base},"tools":[{"type":"function","function":{${members(maxMembers + 1)}}}]}`, /plain object/, "tools")
    const tools = Array.from({ length: 129 }, () => '{"type":"function","function":{"name":"look"}}').join(",")
    refused(`{${base},"tools":[${tools}]}`, /At most 128 tools/, "tools")
  })
  it("refuses values of the wrong type, naming the member", () => {
    refused('{"model":7,"messages":[{}]}', /must be a string/, "model")
    refused('{"model":"a","messages":{}}', /non-empty array/, "messages")
    refused('{"model":"a","messages":[]}', /non-empty array/, "messages")
    refused('{"messages":[{}]}', /is missing/, "model")
    refused('{"model":"a"}', /is missing/, "messages")
    refused(`{${base},"stream":"yes"}`, /boolean/, "stream")
    refused(`{${base},"stream_options":[]}`, /object/, "stream_options")
    for (const value of ["0", "-1", "1.5", '"9"', "1e400", "true"]) {
      refused(`{${base},"max_tokens":${value}}`, /whole number/, "max_tokens")
    }
  })
  it("is not fooled by names that every object has", () => {
    for (const key of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      const shaped = shapeOf(bytesOf(`{${base},"${key}":{"a":1}}`))
      const out = Buffer.from(Result.getOrThrow(shaped).upstream("kimi-k2.6", 5)).toString()
      assert.notInclude(out, key)
    }
  })
  it("closes what would be charged apart or escape metering", () => {
    refused(`{${base},"n":2}`, /one choice/, "n")
    refused(`{${base},"web_search_options":{}}`, /web search/, "web_search_options")
    refused(`{${base},"modalities":["text","audio"]}`, /text output/, "modalities")
    refused(`{${base},"functions":[]}`, /use `tools`/, "functions")
  })
  it("refuses the provider's own tools however they are spelled", () => {
    for (const tool of [
      '{"type":"builtin_function","function":{"name":"x"}}',
      '{"type":"function","type":"builtin_function","function":{"name":"x"}}',
      '{"t\\u0079pe":"builtin_function","function":{"name":"x"}}',
      '{"type":"f\\u0075nction","function":{"name":"x"}}',
      '{"type":"function","function":{"name":"$web_search"}}',
      '{"type":"function","function":{"name":"\\u0024web_search"}}',
      '{"type":"function","function":{"name":"a","n\\u0061me":"$web_search"}}',
      '{"type":"function","function":{"name":"a"},"function":{"name":"$web_search"}}',
      '{"type":"function"}',
      '"$web_search"',
    ]) {
      refused(`{${base},"tools":[${tool}]}`, /tool/, "tools")
    }
    assert.isTrue(
      Result.isSuccess(
        shapeOf(bytesOf(`{${base},"tools":[{"type":"function","function":{"name":"pay","description":"costs $5"}}]}`)),
      ),
    )
  })
})
