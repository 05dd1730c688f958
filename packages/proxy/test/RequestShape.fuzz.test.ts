/** The shaper against `SlowShape` on bodies of every spelling, and on bodies that bytes were changed in. */
import { isUtf8 } from "node:buffer"
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { shapeOf } from "../src/RequestShape.ts"
import { expectedOf } from "./SlowShape.ts"

/** Draws one of the values. */
type Pick = <A>(values: ReadonlyArray<A>) => A
/** Once in so many times. */
const rarely = (pick: Pick, times: number): boolean => pick(Array.from({ length: times }, (_, index) => index)) === 0

const space = (pick: Pick) => pick(["", "", "", " ", "\n", "\t", "\r\n  ", "      "])

const character = (pick: Pick, one: string): string => {
  const escapes: Readonly<Record<string, string>> = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "/": "\\/" }
  const hex = one
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("")
  const escaped = escapes[one] ?? hex
  const mustEscape = one < " " || one === '"' || one === "\\" || /^[\ud800-\udfff]$/.test(one)
  return mustEscape
    ? pick([escaped, hex])
    : pick([one, one, one, one, one, one, escaped, hex.toUpperCase().replace("U", "u")])
}
const string = (pick: Pick, text: string): string => `"${[...text].map((one) => character(pick, one)).join("")}"`
/** Words that must be written plainly, as keys must, so that mostly they are. */
const pictures = ["data:image/png;base64,AAAA", "https://a.b/c.png"]
const roles = ["system", "developer", "user", "assistant", "tool"]
const words = new Set(["function", "text", "image_url", ...roles, ...pictures])
const keyText = (pick: Pick, key: string): string => (rarely(pick, 150) ? string(pick, key) : JSON.stringify(key))

const number = (pick: Pick, value: number): string => {
  const plain = JSON.stringify(value)
  if (!Number.isInteger(value) || Math.abs(value) > 1e15) return plain
  return pick([plain, plain, `${plain}.0`, `${plain}e0`, `${plain}E+00`, `${plain}.000e-0`])
}

/** A JSON text of the value, spelled at random. */
const render = (pick: Pick, value: unknown): string => {
  const gap = () => space(pick)
  if (typeof value === "string") return words.has(value) ? keyText(pick, value) : string(pick, value)
  if (typeof value === "number") return number(pick, value)
  if (Array.isArray(value)) return `[${gap()}${value.map((one) => render(pick, one) + gap()).join(`,${gap()}`)}]`
  if (typeof value === "object" && value !== null) return renderMembers(pick, Object.entries(value))
  return JSON.stringify(value)
}
const renderMembers = (pick: Pick, members: ReadonlyArray<readonly [string, unknown]>): string => {
  const gap = () => space(pick)
  const texts = members.map(([key, one]) => `${keyText(pick, key)}${gap()}:${gap()}${render(pick, one)}${gap()}`)
  return `{${gap()}${texts.join(`,${gap()}`)}}`
}

const text = fc.string({ unit: "grapheme", maxLength: 20 })
const any = fc.jsonValue({ maxDepth: 3 })
/** Mostly the right thing. */
const mostly = <A>(right: fc.Arbitrary<A>, weight = 40): fc.Arbitrary<unknown> =>
  fc.oneof({ arbitrary: right, weight }, { arbitrary: any, weight: 1 })

const tool = fc.record({
  type: mostly(fc.constant("function")),
  function: mostly(
    fc.record({
      name: fc.oneof({ arbitrary: text, weight: 30 }, { arbitrary: fc.constant("$web_search"), weight: 1 }),
      description: text,
      parameters: any,
    }),
    30,
  ),
})
const address = fc.oneof(
  { arbitrary: fc.constantFrom(...pictures), weight: 12 },
  { arbitrary: fc.constantFrom("ms://file", "data:video/mp4;base64,AAAA"), weight: 1 },
)
const part = fc.oneof(
  { arbitrary: fc.record({ type: fc.constant("text"), text }), weight: 24 },
  { arbitrary: fc.record({ type: fc.constant("image_url"), image_url: fc.record({ url: address }) }), weight: 12 },
  { arbitrary: fc.record({ type: fc.constant("image_url"), image_url: address }), weight: 8 },
  { arbitrary: fc.record({ type: fc.constant("video_url"), video_url: fc.record({ url: text }) }), weight: 1 },
  { arbitrary: fc.record({ type: fc.constant("text"), text, image_url: address }), weight: 1 },
)
const message = fc.record(
  {
    role: mostly(fc.constantFrom(...roles)),
    content: fc.oneof(text, mostly(text), fc.array(mostly(part), { maxLength: 3 })),
    name: text,
    tools: mostly(fc.constant(null)),
    tool_calls: fc.oneof(fc.constant(null), fc.array(mostly(tool), { maxLength: 2 })),
    reasoning_content: text,
  },
  { requiredKeys: ["role", "content"] },
)
const known: ReadonlyArray<readonly [string, fc.Arbitrary<unknown>]> = [
  ["model", mostly(fc.constantFrom("kimi-k2.6", "kimi-k3"))],
  ["messages", mostly(fc.array(mostly(message), { minLength: 1, maxLength: 3 }))],
  ["tools", mostly(fc.array(mostly(tool), { maxLength: 2 }))],
  ["tool_choice", mostly(fc.constantFrom<unknown>("auto", "none", { type: "function", function: { name: "look" } }))],
  ["stream", mostly(fc.boolean())],
  ["stream_options", mostly(fc.record({ include_usage: fc.boolean() }))],
  ["max_tokens", mostly(fc.integer({ min: 1 }))],
  ["max_completion_tokens", mostly(fc.integer({ min: 1 }))],
  ["temperature", mostly(fc.double({ noNaN: true, noDefaultInfinity: true }))],
  ["top_p", mostly(fc.double({ noNaN: true, noDefaultInfinity: true }))],
  ["n", mostly(fc.constant(1))],
  ["stop", mostly(fc.oneof(text, fc.array(text, { maxLength: 3 })))],
  ["seed", mostly(fc.integer())],
  ["user", mostly(text)],
  ["parallel_tool_calls", mostly(fc.boolean())],
  ["response_format", mostly(fc.record({ type: text }))],
  ["thinking", mostly(fc.record({ type: text }))],
  ["modalities", mostly(fc.constant(["text"]))],
  ["web_search_options", fc.constant(null)],
]
const optional = known.slice(2)
const extra = fc.oneof(...optional.map(([key, value]) => fc.tuple(fc.constant(key), value)), fc.tuple(text, any))
/** Members in any order: the two that must be, some that may, and some that nobody knows. */
const members = fc
  .tuple(
    fc.tuple(...known.slice(0, 2).map(([key, value]) => fc.tuple(fc.constant(key), value))),
    fc.oneof(
      { arbitrary: fc.uniqueArray(extra, { maxLength: 6, selector: ([key]) => key }), weight: 9 },
      { arbitrary: fc.array(extra, { maxLength: 6 }), weight: 1 },
    ),
  )
  .chain(([must, may]) => fc.shuffledSubarray([...must, ...may], { minLength: must.length + may.length }))

/** The text of a body. */
const bodies = fc.tuple(members, fc.infiniteStream(fc.nat(1_000_000))).map(([list, draws]) => {
  const pick: Pick = (values) => values[(draws.next().value as number) % values.length] as (typeof values)[number]
  return space(pick) + renderMembers(pick, list as ReadonlyArray<readonly [string, unknown]>) + space(pick)
})

const tail = (completion: number, stream: boolean) =>
  `"max_completion_tokens":${completion}` + (stream ? ',"stream":true,"stream_options":{"include_usage":true}' : "")

/** Whether the shaper does with these bytes what the slow rules say; how they judged. */
const agree = (bytes: Buffer, completion: number): "accepted" | "refused" => {
  const expected = isUtf8(bytes) ? expectedOf(bytes.toString()) : undefined
  const shaped = shapeOf(bytes)
  const words = Result.isFailure(shaped) ? shaped.failure.message : "accepted"
  assert.strictEqual(Result.isSuccess(shaped), expected !== undefined, `${words}: ${bytes.toString()}`)
  if (expected === undefined || Result.isFailure(shaped)) return "refused"
  const { upstream, model: _model, pictures, ...rest } = shaped.success
  const told = { ...rest, pictures: pictures.map(({ from, to }) => bytes.subarray(from, to).toString()) }
  const { kept, ...wanted } = expected
  assert.deepStrictEqual({ ...told }, { ...wanted })
  // What passes stands there byte for byte in its order, and nothing but ours after it.
  const out = Buffer.from(upstream("kimi-k2.6", completion)).toString()
  let left = out.slice(1)
  for (const raw of kept) {
    left = left.replace(/^[\s,]*/, "")
    assert.isTrue(left.startsWith(raw), `${raw} is not where it should be in ${out}`)
    left = left.slice(raw.length)
  }
  assert.strictEqual(left.replace(/^[\s,]*/, ""), `${tail(completion, expected.stream)}}`)
  // And it is one valid object with those members.
  const whole = JSON.parse(`{${[...kept, tail(completion, expected.stream)].join(",")}}`)
  assert.deepStrictEqual(JSON.parse(out), whole)
  return "accepted"
}

/** Things done to bytes: one replaced, some dropped, some doubled, some put in. */
const mutation = fc.tuple(
  fc.constantFrom("replace", "drop", "double", "insert", "move"),
  fc.nat(1_000_000),
  fc.nat(12),
  fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('{}[],:"\\u0$nft- .e+'))),
)
type Mutation = typeof mutation extends fc.Arbitrary<infer A> ? A : never
const mutate = (bytes: Buffer, [how, where, length, byte]: Mutation): Buffer => {
  const at = where % (bytes.length + 1)
  const [before, piece, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)]
  switch (how) {
    case "replace":
      return Buffer.concat([before, Buffer.from([byte]), bytes.subarray(at + 1)])
    case "drop":
      return Buffer.concat([before, after])
    case "double":
      return Buffer.concat([before, piece, piece, after])
    case "insert":
      return Buffer.concat([before, Buffer.from([byte]), piece, after])
    default:
      return Buffer.concat([after, piece, before])
  }
}

const judged = () => ({ accepted: 0, refused: 0 })

describe("the shaper on random bodies", () => {
  it("takes what the slow rules take, and changes not a byte but for its own members", { timeout: 120_000 }, () => {
    const seen = judged()
    fc.assert(
      fc.property(bodies, fc.integer({ min: 1, max: 1_000_000 }), (body, completion) => {
        seen[agree(Buffer.from(body), completion)]++
      }),
      { numRuns: 3_000 },
    )
    // Neither answer is rare, or the property would say little.
    assert.isAbove(seen.accepted, 300)
    assert.isAbove(seen.refused, 300)
  })

  it("never throws on changed bytes, and takes them only where the slow rules do", { timeout: 120_000 }, () => {
    const seen = judged()
    fc.assert(
      fc.property(bodies, fc.array(mutation, { minLength: 1, maxLength: 3 }), (body, mutations) => {
        seen[agree(mutations.reduce(mutate, Buffer.from(body)), 100)]++
      }),
      { numRuns: 4_000 },
    )
    assert.isAbove(seen.accepted, 10)
  })

  it("never throws on bytes of any kind", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        agree(Buffer.from(bytes), 1)
      }),
      { numRuns: 5_000 },
    )
  })
})
