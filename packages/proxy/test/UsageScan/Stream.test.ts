/** The scanner of streams against a slow reference: a parser of another hand, over every way in which a stream can look and be cut. */
import { assert, describe, it } from "@effect/vitest"
import type { Usage } from "@berth/domain/Usage"
import * as Sse from "effect/encoding/Sse"
import * as fc from "fast-check"
import { usageOf } from "../../src/UsageReport.ts"
import { ofStream } from "../../src/UsageScan/Stream.ts"
import { counts, cut, cuts, noCounts, run, text } from "./Cuts.ts"

/** One event as it is made here: its lines, and what a reader may take it for. */
interface Made {
  readonly lines: ReadonlyArray<string>
  readonly json?: any
  readonly fails?: boolean
}

const delta = (content: string, more: object = {}) => ({ choices: [{ index: 0, delta: { content } }], ...more })

const plain = fc.oneof(
  { weight: 6, arbitrary: text.map((content) => delta(content, { usage: null })) },
  { weight: 3, arbitrary: text.map((content) => delta(content)) },
  { weight: 1, arbitrary: text.map((content) => ({ choices: [{ index: 0, delta: { reasoning_content: content } }] })) },
  {
    weight: 1,
    arbitrary: text.map((arguments_) => ({
      choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: arguments_ } }] } }],
    })),
  },
  { weight: 1, arbitrary: fc.constant({ choices: [{ index: 0, delta: { role: "assistant", content: "" } }] }) },
  { weight: 1, arbitrary: fc.constant({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }) },
  { weight: 1, arbitrary: fc.constant({ choices: [], error: null }) },
)
const report = fc.oneof({ weight: 4, arbitrary: counts }, { weight: 1, arbitrary: noCounts })
const withUsage = fc.oneof(
  report.map((usage) => ({ choices: [{ index: 0, delta: {}, finish_reason: "stop", usage }] })),
  report.map((usage) => ({ choices: [], usage })),
  fc.tuple(report, text).map(([usage, content]) => delta(content, { usage })),
  fc.tuple(report, report).map(([usage, own]) => ({ choices: [{ index: 0, delta: {}, usage: own }], usage })),
)

/** On one line, or spread over several `data:` lines. */
const dataLines = (value: unknown, spread: boolean): ReadonlyArray<string> =>
  (spread ? JSON.stringify(value, undefined, 1).split("\n") : [JSON.stringify(value)]).map((line) => `data: ${line}`)

const jsonEvent = (value: fc.Arbitrary<object>): fc.Arbitrary<Made> =>
  fc
    .tuple(value, fc.boolean(), fc.constantFrom<ReadonlyArray<string>>([], [": note"], ["event: message"], ["id: 7"]))
    .map(([json, spread, before]) => ({
      lines: [...before, ...dataLines(json, spread)],
      json: JSON.parse(JSON.stringify(json)),
    }))
const bare = fc.constantFrom<Made>(
  { lines: [": keep-alive"] },
  { lines: [":"] },
  { lines: ["retry: 100"] },
  { lines: ["data"] },
  { lines: ["data: "] },
  { lines: ["nonsense"] },
  { lines: ["data:[DONE]"] },
  { lines: ["data: not json at all"] },
)
const failure = fc
  .constantFrom<object | string>(
    { error: { type: "server_error", message: "for org-1 <ak-2>" } },
    { choices: [], error: { message: "no" } },
    { error: "words" },
    { object: "error", message: "org-1" },
  )
  .chain((error) =>
    fc.constantFrom<Made>(
      { lines: dataLines(error, false), fails: true },
      { lines: dataLines(error, true), fails: true },
      { lines: ["event: error", 'data: {"message":"org-1"}'], fails: true },
      { lines: ["event: error", "data: plain words of org-1"], fails: true },
      { lines: ['{"error":{"message":"no event at all, org-1"}}'], fails: true },
      { lines: ['data: {"error":{"message":"cut off, org-1'], fails: true },
    ),
  )

const anEvent = fc.oneof(
  { weight: 8, arbitrary: jsonEvent(plain) },
  { weight: 3, arbitrary: jsonEvent(withUsage) },
  { weight: 2, arbitrary: bare },
)
const stream = fc.record({
  events: fc.array(fc.tuple(anEvent, fc.constantFrom("\n", "\r\n", "\r")), { maxLength: 12 }),
  mark: fc.constantFrom("", "\uFEFF"),
  /** Whether the last event has its blank line. */
  closed: fc.boolean(),
})
type Stream = typeof stream extends fc.Arbitrary<infer A> ? A : never

const bytesOf = ([{ lines }, end]: readonly [Made, string]): string => lines.map((line) => line + end).join("") + end

/** As text, event by event. */
const textsOf = ({ events, mark, closed }: Stream): ReadonlyArray<string> =>
  events.map((one, index) => {
    const whole = (index === 0 ? mark : "") + bytesOf(one)
    return closed || index < events.length - 1 ? whole : whole.slice(0, -one[1].length)
  })

/** Every JSON text of a stream, by the other parser. */
const parsed = (whole: string): ReadonlyArray<any> => {
  const found: Array<unknown> = []
  const parser = Sse.makeParser((event) => {
    if (event._tag !== "Event") return
    try {
      found.push(JSON.parse(event.data))
    } catch {
      // No JSON, no counts.
    }
  })
  parser.feed(`${whole}\n\n\n`)
  return found
}
const usageBy = (chunks: ReadonlyArray<any>): Usage | undefined =>
  chunks.reduce<Usage | undefined>(
    (last, chunk) => usageOf(chunk?.usage) ?? usageOf(chunk?.choices?.[0]?.usage) ?? last,
    undefined,
  )

const isHidden = ({ json }: Made): boolean => json?.choices.length === 0 && usageOf(json.usage) !== undefined
/** Whether an answer begins with this event. */
const begins = ({ lines, json }: Made): boolean => {
  if (json === undefined) return lines[0] === "data: not json at all"
  const [choice] = json.choices
  const { content, reasoning_content, tool_calls } = choice?.delta ?? {}
  return (
    Boolean(content || reasoning_content || tool_calls || choice?.finish_reason) ||
    usageOf(json.usage) !== undefined ||
    usageOf(choice?.usage) !== undefined
  )
}
/** Bytes of text in the chunks, in full. */
const textOf = (chunks: ReadonlyArray<any>): number =>
  chunks.reduce((sum, chunk) => {
    const { content = "", reasoning_content = "", tool_calls } = chunk?.choices?.[0]?.delta ?? {}
    return sum + Buffer.byteLength(content + reasoning_content + (tool_calls?.[0].function.arguments ?? ""))
  }, 0)

describe("a scanned stream", () => {
  it("has the usage of its last report, however it is written and cut, and passes on every byte but the chunks of counts that nobody asked for", () => {
    fc.assert(
      fc.property(stream, cuts, fc.boolean(), (made, at, shows) => {
        const texts = textsOf(made)
        const whole = texts.join("")
        const chunks = parsed(whole)
        const scan = ofStream(shows)
        const out = run(scan, cut(Buffer.from(whole), at)).toString()
        const begun = made.events.some(([event]) => begins(event))
        const shown = texts.filter((_, index) => shows || !isHidden((made.events[index] as readonly [Made, string])[0]))
        assert.strictEqual(out, begun ? shown.join("") : "")
        assert.strictEqual(scan.begun(), begun)
        assert.deepStrictEqual(scan.usage(), usageBy(chunks))
        assert.isUndefined(scan.fault())
        // Escapes count as one byte each, so it may be less, but never more.
        assert.isAtMost(scan.textBytes(), textOf(chunks))
      }),
      { numRuns: 2_000 },
    )
  }, 60_000)

  it("shows nothing of an error nor of what follows it, but still has the counts", () => {
    fc.assert(
      fc.property(
        stream,
        stream,
        failure,
        fc.constantFrom("\n", "\r\n", "\r"),
        cuts,
        (before, after, fault, end, at) => {
          const first = { ...before, closed: true }
          const start = textsOf(first)
          const whole = [...start, bytesOf([fault, end]), ...textsOf({ ...after, mark: "", closed: true })].join("")
          const scan = ofStream(true)
          const out = run(scan, cut(Buffer.from(whole), at)).toString()
          const begun = first.events.some(([event]) => begins(event))
          if (begun) assert.strictEqual(out, start.join(""))
          assert.notInclude(out, "org-1")
          assert.isDefined(scan.fault())
          assert.deepStrictEqual(scan.usage(), usageBy(parsed(whole)))
        },
      ),
      { numRuns: 800 },
    )
  }, 60_000)

  it("knows to the byte how much text without escapes it carried", () => {
    fc.assert(
      fc.property(fc.array(fc.string().map((one) => one.replace(/["\\]/g, ""))), cuts, (texts, at) => {
        const scan = ofStream(true)
        run(scan, cut(Buffer.from(texts.map((one) => `data: ${JSON.stringify(delta(one))}\n\n`).join("")), at))
        assert.strictEqual(scan.textBytes(), Buffer.byteLength(texts.join("")))
      }),
    )
  })

  it("that ends in the midst of an event still gives what it carried", () => {
    const scan = ofStream(false)
    const whole = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    const half = 'data: {"choices":[{"index":0,"del'
    assert.strictEqual(run(scan, [Buffer.from(whole + half)]).toString(), whole + half)
    assert.isUndefined(scan.usage())
  })

  it("with an event too large to hold passes it on unread, holds no more, and reads on behind it", () => {
    for (const shows of [true, false]) {
      const scan = ofStream(shows)
      const piece = Buffer.alloc(512 * 1024, "x")
      const chunks = [Buffer.from("data: {"), ...Array.from({ length: 8 }, () => piece)]
      let out = 0
      let kept = 0
      let given = 0
      for (const one of chunks) {
        given += one.length
        out += scan.push(one)?.length ?? 0
        kept = Math.max(kept, given - out)
      }
      assert.isAtMost(kept, 1024 * 1024)
      assert.strictEqual(out, 7 + 8 * piece.length)
      const end = 'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
      assert.strictEqual(scan.push(Buffer.from(`\n\n${end}`))?.length, shows ? 2 + end.length : 2)
      assert.strictEqual(scan.usage()?.completion, 2)
    }
  })

  it("keeps no more than a little of what comes before an answer begins", () => {
    const scan = ofStream(true)
    const note = Buffer.from(`: ${"x".repeat(998)}\n\n`)
    let shown = 0
    for (let index = 0; index < 100; index++) shown += scan.push(note)?.length ?? 0
    assert.isTrue(scan.begun())
    assert.strictEqual(shown, 100 * note.length)
  })

  it("tells the counts of a whole answer from those in its midst", () => {
    const usage = { prompt_tokens: 10, completion_tokens: 2 }
    for (const [chunk, counted] of [
      [delta("so far", { usage }), false],
      [{ choices: [{ index: 0, delta: {}, finish_reason: "stop", usage }] }, true],
      [{ choices: [], usage }, true],
    ] as const) {
      const scan = ofStream(true)
      scan.push(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`))
      assert.strictEqual(scan.counted(), counted)
    }
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
      { prompt_tokens: Number.MAX_VALUE, completion_tokens: 1 },
    ]) {
      assert.isUndefined(usageOf(none))
    }
  })
})
