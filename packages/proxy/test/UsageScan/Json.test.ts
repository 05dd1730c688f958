/** The scanner of answers in one piece, short ones that are kept back and long ones that are not. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { usageOf } from "../../src/UsageReport.ts"
import { ofJson } from "../../src/UsageScan/Json.ts"
import { counts, cut, cuts, run, text } from "./Cuts.ts"

const answer = (content: string, usage: unknown, more: object = {}) => ({
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
  usage,
  ...more,
})

describe("a scanned answer in one piece", () => {
  it("has its usage, however it is cut, shows nothing before its end and then every byte", () => {
    fc.assert(
      fc.property(counts, text, cuts, fc.nat(2), (usage, content, at, indent) => {
        const bytes = Buffer.from(JSON.stringify(answer(content, usage), undefined, indent))
        const scan = ofJson()
        for (const one of cut(bytes, at)) assert.isUndefined(scan.push(one))
        assert.isFalse(scan.begun())
        assert.isTrue(scan.end()?.equals(bytes))
        assert.isTrue(scan.begun() && scan.whole())
        assert.deepStrictEqual(scan.usage(), usageOf(JSON.parse(JSON.stringify(usage))))
      }),
    )
  })

  it("has its usage where the finish carries it", () => {
    const scan = ofJson()
    const usage = { prompt_tokens: 7, completion_tokens: 3 }
    run(scan, [Buffer.from(JSON.stringify({ choices: [{ index: 0, message: {}, usage }] }))])
    assert.strictEqual(scan.usage()?.prompt, 7)
  })

  it("that is long is passed on as it comes, no more of it is kept than a little, and its usage is found", () => {
    const words = `${'a "quoted" word, "usage":{"prompt_tokens":1} \\ '.repeat(40_000)}`
    fc.assert(
      fc.property(counts, fc.array(fc.nat(), { minLength: 20, maxLength: 60 }), fc.boolean(), (usage, at, first) => {
        const { choices } = answer(words, usage)
        const bytes = Buffer.from(JSON.stringify(first ? { usage, choices } : { choices, usage }))
        const scan = ofJson()
        assert.isTrue(run(scan, cut(bytes, at)).equals(bytes))
        assert.isTrue(scan.whole())
        assert.deepStrictEqual(scan.usage(), usageOf(JSON.parse(JSON.stringify(usage))))
      }),
      { numRuns: 15 },
    )
  }, 60_000)

  it("that breaks off has no usage, is not whole, and has as much text as came of it", () => {
    const scan = ofJson()
    const half = '{"choices":[{"message":{"content":"Hello\\nthere'
    scan.push(Buffer.from(half))
    assert.strictEqual(scan.textBytes(), 11)
    assert.isUndefined(scan.end())
    assert.isFalse(scan.begun())
    assert.isFalse(scan.whole())
    assert.isUndefined(scan.usage())
  })

  it("that is long and breaks off is not taken for a whole one", () => {
    const scan = ofJson()
    const bytes = Buffer.from(JSON.stringify(answer("x".repeat(600_000), { prompt_tokens: 1, completion_tokens: 1 })))
    run(scan, [bytes.subarray(0, 400_000)])
    assert.isTrue(scan.begun())
    assert.isFalse(scan.whole())
    assert.isAtMost(scan.textBytes(), 400_000)
  })

  it("that is an error is none, wherever it says so, and nothing of it is shown", () => {
    for (const body of [
      '{"error":{"type":"server_error","message":"org-1"}}',
      '{"id":"x","choices":[],"error":{"message":"org-1"}}',
      '{"object":"error","message":"org-1"}',
      '{"error":"org-1"}',
    ]) {
      const scan = ofJson()
      assert.strictEqual(run(scan, [Buffer.from(body)]).length, 0)
      assert.include(scan.fault() ?? "", "org-1")
    }
    const scan = ofJson()
    const long = JSON.stringify({ ...answer("x".repeat(300_000), null), error: { message: "org-1" } })
    assert.notInclude(run(scan, cut(Buffer.from(long), [100_000, 299_000, 300_000, 300_010])).toString(), "org-1")
    assert.strictEqual(JSON.parse(scan.fault() ?? "").error.message, "org-1")
  })

  it("that is no answer at all is not shown", () => {
    for (const body of ["", "<html>", "[]", "3", "null", '{"code":5,"message":"org-1"}', '{"choices":null}']) {
      const scan = ofJson()
      assert.strictEqual(run(scan, [Buffer.from(body)]).length, 0)
      assert.isFalse(scan.begun())
    }
  })
})
