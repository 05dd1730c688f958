/** The scanner and the shaper against slow references: `JSON.parse` for what is accepted, parse-and-rebuild for what goes out. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { maxDepth, maxMembers, membersOf, valueAt } from "../src/JsonSpans.ts"
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
    stop: fc.option(fc.array(fc.string(), { maxLength: 3 })),
    thinking: fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }),
    tool_choice: fc.constantFrom("auto", "none", "required", null),
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
    assert.isTrue(Result.isFailure(shaped), body.slice(0, 200))
    const error = Result.isFailure(shaped) ? shaped.failure : undefined
    assert.match(error?.message ?? "", words)
    assert.strictEqual(error?.param, param)
  }
  const sent = (body: string) =>
    Buffer.from(Result.getOrThrow(shapeOf(bytesOf(body))).upstream("kimi-k2.6", 5)).toString()

  it("refuses a top-level name given twice, since the upstream might read the other one", () => {
    refused(`{${base},"model":"kimi-k3"}`, /given twice/, "model")
    refused(`{${base},"x":1,"x":2}`, /given twice/, "x")
    refused(`{${base},"":1,"":2}`, /given twice/, "")
    refused(`{${base},"__proto__":1,"__proto__":2}`, /given twice/, "__proto__")
  })
  it("refuses a top-level name with escapes, whichever", () => {
    for (const key of [
      "mod\\u0065l",
      "\\u006dodel",
      "m\\u006Fdel",
      "model\\u0000",
      "\\/model",
      "\\ud800",
      "\\ud83d\\ude00",
    ]) {
      refused(`{${base},"${key}":"kimi-k3"}`, /without escapes/, null)
      refused(`{"${key}":"kimi-k3",${base}}`, /without escapes/, null)
    }
  })
  it("takes a name for no other, however alike they look", () => {
    for (const key of ["Model", "model ", " model", "mоdel", "model\u200b", "\u{1F600}"]) {
      assert.notInclude(sent(`{${base},"${key}":"kimi-k3"}`), "kimi-k3")
    }
    refused('{"\ufeffmodel":"kimi-k2.6","messages":[{"role":"user"}]}', /is missing/, "model")
    const tool = '{"type":"function","function":{"\ufeffname":"look"}}'
    refused(`{${base},"tools":[${tool}]}`, /with one `name`/, "tools")
  })
  it("refuses what JSON is not: a byte order mark, anything before or after, raw control characters, NaN and the like", () => {
    for (const body of [
      `\ufeff{${base}}`,
      `{${base}}{`,
      `{${base}},`,
      `{${base}}\u0000`,
      `\u0000{${base}}`,
      `{${base},"user":"a\u0000"}`,
      `{${base},"us\ner":"a"}`,
      `{${base},"max_tokens":NaN}`,
      `{${base},"max_tokens":Infinity}`,
      `{${base},"max_tokens":01}`,
      `{${base},"max_tokens":+1}`,
      `{${base},"max_tokens":0x10}`,
      `{${base},"max_tokens":1_0}`,
      `{${base},"user":'a'}`,
      `{${base},user:"a"}`,
      `{${base},}`,
      `{${base} /* why */}`,
      `{${base},"user":"\\ud80"}`,
      `{${base},"user":"\\x41"}`,
      `[{${base}}]`,
      '"text"',
      "1",
      "null",
      "",
      " ",
    ]) {
      refused(body, /is not a JSON object/, null)
    }
  })
  it("passes lone surrogates on as they are written: they are JSON, and what they mean is the upstream's affair", () => {
    const user = String.raw`"user":"\ud800 \udc00\ud800"`
    assert.include(sent(`{${base},${user}}`), user)
  })
  it("refuses what would keep the process busy: countless members, messages or tools, and long values where short ones do", () => {
    const members = (count: number) => Array.from({ length: count }, (_, index) => `"a${index}":1`).join(",")
    refused(`{${base},${members(maxMembers)}}`, /at most 256 members/, null)
    const tools = Array.from({ length: 129 }, () => '{"type":"function","function":{"name":"look"}}').join(",")
    refused(`{${base},"tools":[${tools}]}`, /At most 128 tools/, "tools")
    const messages = (count: number) =>
      `{"model":"a","messages":[${'{"role":"user"},'.repeat(count - 1)}{"role":"user"}]}`
    assert.isTrue(Result.isSuccess(shapeOf(bytesOf(messages(4_096)))))
    refused(messages(4_097), /At most 4096 messages/, "messages")
    refused(`{"model":"a","messages":[${"{},".repeat(1_000_000)}{}]}`, /one `role`/, "messages")
    for (const key of ["model", "stop", "stream_options", "tool_choice", "max_tokens", "n", "modalities"]) {
      const value =
        key === "model"
          ? `"${"a".repeat(20_000)}"`
          : key === "max_tokens" || key === "n"
            ? "1".repeat(20_000)
            : `["${"a".repeat(20_000)}"]`
      const body = key === "model" ? `{"messages":[{"role":"user"}],"model":${value}}` : `{${base},"${key}":${value}}`
      refused(body, /too long|must be/, key)
    }
  })

  const examples = {
    string: '"a"',
    number: "7",
    boolean: "true",
    object: "{}",
    array: "[]",
  } as const
  const types: ReadonlyArray<readonly [key: string, ...kinds: ReadonlyArray<keyof typeof examples>]> = [
    ["model", "string"],
    ["messages"],
    ["tools", "array"],
    ["tool_choice"],
    ["parallel_tool_calls", "boolean"],
    ["response_format", "object"],
    ["stop", "string", "array"],
    ["seed", "number"],
    ["thinking", "object"],
    ["reasoning_effort", "string"],
    ["prompt_cache_key", "string"],
    ["safety_identifier", "string"],
    ["user", "string"],
    ["stream", "boolean"],
    ["stream_options", "object"],
    ["max_tokens", "number"],
    ["max_completion_tokens", "number"],
    ["temperature", "number"],
    ["top_p", "number"],
    ["presence_penalty", "number"],
    ["frequency_penalty", "number"],
    ["n"],
    ["best_of"],
    ["modalities", "array"],
    ["audio"],
    ["web_search_options"],
    ["functions"],
    ["function_call"],
  ]
  for (const [key, ...kinds] of types) {
    it(`takes \`${key}\` as ${kinds.join(" or ") || "none of the bare types"}, refuses every other type by name, and null is as good as nothing`, () => {
      const rest = { model: '"model":"a"', messages: '"messages":[{"role":"user"}]' }
      const others = Object.entries(rest).flatMap(([name, text]) => (name === key ? [] : [text]))
      for (const [kind, value] of Object.entries(examples)) {
        const body = `{${[...others, `"${key}":${value}`].join(",")}}`
        if (kinds.includes(kind as keyof typeof examples)) assert.isTrue(Result.isSuccess(shapeOf(bytesOf(body))), body)
        else refused(body, /must be|not offered|Only/, key)
      }
      const withNull = `{${[...others, `"${key}":null`].join(",")}}`
      if (key in rest) refused(withNull, /missing|non-empty array/, key)
      else assert.isTrue(Result.isSuccess(shapeOf(bytesOf(withNull))))
    })
  }
  it("knows every member that it lets through or edits by its type", () => {
    // Whatever this list lacks is dropped, whatever it holds.
    const others = [
      "service_tier",
      "store",
      "metadata",
      "prediction",
      "logprobs",
      "logit_bias",
      "cache_control",
      "other",
    ]
    for (const key of others) {
      for (const value of Object.values(examples)) assert.notInclude(sent(`{${base},"${key}":${value}}`), key)
    }
  })
  it("refuses a maximum that is no whole number of at least 1, in whatever spelling, and takes one that is", () => {
    for (const key of ["max_tokens", "max_completion_tokens"]) {
      for (const value of [
        "0",
        "-1",
        "-0",
        "1.5",
        '"9"',
        "1e400",
        "1e999",
        "-1e999",
        "true",
        "9007199254740993",
        "[1]",
        "1e-1",
      ]) {
        refused(`{${base},"${key}":${value}}`, /whole number/, key)
      }
      for (const value of ["1", "1e3", "1E+3", "1000.0", "100000e-2"]) {
        const shape = Result.getOrThrow(shapeOf(bytesOf(`{${base},"${key}":${value}}`)))
        assert.strictEqual(shape.completion, Number(value))
      }
    }
  })
  it("refuses messages without a role of their own, or with one that it does not know", () => {
    for (const [message, words] of [
      ["1", /must be an object/],
      ["null", /must be an object/],
      ["[]", /must be an object/],
      ["{}", /one `role`/],
      ['{"role":"user","role":"user"}', /one `role`/],
      ['{"role":null}', /must be one of system, developer, user, assistant, tool/],
      ['{"role":7}', /must be one of/],
      ['{"role":"User"}', /must be one of/],
      ['{"role":"\\u0075ser"}', /must be one of/],
      ['{"r\\u006fle":"user"}', /without escapes/],
      ['{"role":"user","t\\u006fols":[]}', /without escapes/],
      ['{"role":"assistant","tool_calls":{}}', /must be an array/],
      ['{"role":"assistant","tool_calls":[1]}', /must be an object/],
    ] as const) {
      refused(`{"model":"a","messages":[{"role":"user"},${message}]}`, words, "messages")
    }
  })
  it("is not fooled by names that every object has", () => {
    for (const key of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      assert.notInclude(sent(`{${base},"${key}":{"a":1}}`), key)
    }
  })
  it("closes what would be charged apart or escape metering", () => {
    refused(`{${base},"n":2}`, /one choice/, "n")
    refused(`{${base},"n":1.0000000000000002}`, /one choice/, "n")
    refused(`{${base},"best_of":3}`, /one choice/, "best_of")
    refused(`{${base},"web_search_options":{}}`, /web search/, "web_search_options")
    refused(`{${base},"modalities":["text","audio"]}`, /text output/, "modalities")
    refused(`{${base},"functions":[]}`, /use `tools`/, "functions")
    // Kimi's stored contexts, billed by the minute that they are kept.
    refused(
      '{"model":"a","messages":[{"role":"cache","content":"cache_id=cache-1;reset_ttl=3600"}]}',
      /must be one of/,
      "messages",
    )
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
      '{"type":"function","function":{"name":"a","name":"$web_search"}}',
      '{"type":"function","function":{"name":"a"},"function":{"name":"$web_search"}}',
      '{"type":"function"}',
      '"$web_search"',
    ]) {
      refused(`{${base},"tools":[${tool}]}`, /tool/, "tools")
      refused(`{"model":"a","messages":[{"role":"system","tools":[${tool}]}]}`, /declared in `tools`/, "messages")
    }
    for (const call of [
      '{"id":"1","type":"builtin_function","function":{"name":"x","arguments":"{}"}}',
      '{"id":"1","type":"function","function":{"name":"$web_search","arguments":"{}"}}',
      '{"id":"1","function":{"name":"\\u0024web_search","arguments":"{}"}}',
      '{"id":"1","function":{"name":"a","arguments":"{}"},"function":{"name":"$web_search"}}',
    ]) {
      refused(`{"model":"a","messages":[{"role":"assistant","tool_calls":[${call}]}]}`, /tool|`function`/, "messages")
    }
    for (const name of ['"$web_search"', '"\\u0024web_search"']) {
      refused(`{"model":"a","messages":[{"role":"tool","name":${name},"content":"{}"}]}`, /not offered/, "messages")
      refused(`{${base},"tool_choice":{"type":"function","function":{"name":${name}}}}`, /not offered/, "tool_choice")
    }
    refused(
      `{${base},"tool_choice":{"type":"builtin_function","function":{"name":"x"}}}`,
      /`tool_choice` must/,
      "tool_choice",
    )
    refused(`{${base},"tool_choice":"$web_search"}`, /`tool_choice` must/, "tool_choice")
  })
  it("lets through the client's own tools, their calls and their results", () => {
    const tool =
      '{"type":"function","function":{"name":"pay","description":"costs $5","parameters":{"$schema":"x","type":"object"}}}'
    const call = '{"id":"c1","type":"function","function":{"name":"pay","arguments":"{\\"sum\\":\\"$5\\"}"}}'
    const messages =
      `[{"role":"user","name":"Zo\\u00eb","content":"$web_search"},{"role":"assistant","content":null,"tool_calls":[${call}]},` +
      '{"role":"tool","tool_call_id":"c1","name":"pay","content":"$ok"},{"role":"assistant","content":"a","tool_calls":null,"tools":null,"partial":true}]'
    const choice = '"tool_choice":{"type":"function","function":{"name":"pay"}}'
    const out = sent(`{"model":"a","messages":${messages},"tools":[${tool}],${choice}}`)
    for (const kept of [messages, tool, choice]) assert.include(out, kept)
  })
})
