/**
 * The words and statuses that refusals may have, by what OpenClaw 2026.9.6 does with them (docs/errors.md, measured by
 * `npm run e2e:openclaw`). A fault here is a storm of requests, an agent that is mute for minutes, or words never seen.
 */
import { assert, describe, it } from "@effect/vitest"
import { answerOf, bodyOf, type Refusal } from "../src/Errors.ts"
import { refusals } from "./RefusalSamples.ts"

/** Refusals that a user can do something about, or must be told of: shown word for word, and final. */
const shown: ReadonlyArray<Refusal["_tag"]> = [
  "UsageLimitReached",
  "DailyLimitReached",
  "BackgroundLimitReached",
  "AgentPaused",
  "AgentBlocked",
  "ServiceEnded",
  "CustomerStopped",
  "TrafficStopped",
  "UpstreamRefusesUs",
  "ContentDeclined",
]
/** What passes by itself: tried again by OpenClaw, unseen by its user. */
const hiccups: ReadonlyArray<Refusal["_tag"]> = [
  "RateLimited",
  "NoRoom",
  "RecordingBehind",
  "StoreUnavailable",
  "UpstreamUnavailable",
]

const namesALimit = /\b(?:daily|monthly) (?:usage )?limit\b/i
const namesAPlanOrAReset = /\bplan\b|\bresets\b/i
/** OpenClaw waits for what such words name, and asks again. */
const asksForAnotherTry = /try again in|retry after|per minute|\b(?:rpm|tpm)\b/i
/** What it takes for a bill, a lost key, or a prompt that is too long. */
const frightens =
  /insufficient|payment required|credit|balance|billing|\bspend|budget|quota|api key|unauthori[sz]ed|forbidden|denied|expired|context|too (?:long|large)/i

describe("a refusal that its user should read", () => {
  for (const refusal of refusals.filter(({ _tag }) => shown.includes(_tag))) {
    const { status, message, retryAfter } = answerOf(refusal)
    it(`is shown word for word and ends the turn: ${message}`, () => {
      assert.match(message, namesALimit)
      assert.match(message, namesAPlanOrAReset)
      assert.notMatch(message, asksForAnotherTry)
      assert.notMatch(message, frightens)
      assert.isAtMost(message.length, 300)
      assert.include([400, 423, 424, 429], status)
      assert.isUndefined(retryAfter)
    })
  }

  it("still fits with an address of 60 characters more", () => {
    for (const refusal of refusals.filter(({ _tag }) => shown.includes(_tag)))
      assert.isAtMost(answerOf(refusal).message.length + 60, 300)
  })

  it("says that the month is over only if it is", () => {
    const begins = refusals.filter((one) => answerOf(one).message.startsWith("Monthly usage limit reached"))
    assert.deepStrictEqual(
      begins.map(({ _tag }) => _tag),
      ["UsageLimitReached"],
    )
  })
})

describe("a hiccup", () => {
  for (const refusal of refusals.filter(({ _tag }) => hiccups.includes(_tag))) {
    it(`is tried again after 2 seconds: ${answerOf(refusal).message}`, () => {
      const { status, message, retryAfter } = answerOf(refusal)
      assert.include([429, 503], status)
      assert.strictEqual(retryAfter, 2)
      assert.notMatch(message, namesALimit)
      assert.notMatch(message, frightens)
    })
  }
})

describe("every refusal", () => {
  it("keeps from the statuses and words that lock an agent out, but for a token that will never work", () => {
    for (const refusal of refusals) {
      const answer = answerOf(refusal)
      assert.notInclude([402, 403], answer.status, refusal._tag)
      assert.notMatch(bodyOf(answer), /insufficient_quota|billing|payment/i)
      if (answer.status === 401) assert.strictEqual(answer.code, "invalid_api_key")
    }
  })

  it("has a status and code that tell it from the others, where it has a code of its own", () => {
    const seen = new Map<string, Refusal["_tag"]>()
    const shared = ["invalid_api_key", "rate_limit_exceeded", "upstream_refused"]
    for (const refusal of refusals) {
      const { code } = answerOf(refusal)
      if (code === null || shared.includes(code)) continue
      assert.isUndefined(seen.get(code), code)
      seen.set(code, refusal._tag)
    }
  })
})
