import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { answerOf, bodyOf } from "../src/Errors.ts"
import { scrub, verdictOf, verdictOnFailure } from "../src/KimiErrors.ts"

const error = (status: number, type: string, message = "no", retryAfter?: string) =>
  verdictOf({ status, retryAfter, body: JSON.stringify({ error: { type, message } }) })

describe("an upstream error", () => {
  it("is read by its type, not by its status", () => {
    assert.strictEqual(error(403, "exceeded_current_quota_error").reason, "quota")
    assert.strictEqual(error(429, "exceeded_current_quota_error").reason, "quota")
    assert.strictEqual(error(429, "engine_overloaded_error").reason, "overloaded")
    assert.strictEqual(error(429, "rate_limit_reached_error").reason, "rateLimit")
  })
  it("is waited out for as long as Kimi says, but not for long", () => {
    const message = "Your account reached max RPM: 3, please try again after 2 seconds"
    assert.strictEqual(error(429, "rate_limit_reached_error", message).retry, 2_000)
    assert.strictEqual(error(429, "rate_limit_reached_error", message, "4").retry, 4_000)
    for (const unreadable of ["Wed, 21 Oct 2026 07:28:00 GMT", "", "-3", "soon"]) {
      assert.strictEqual(error(429, "rate_limit_reached_error", message, unreadable).retry, 2_000)
    }
    assert.strictEqual(error(429, "rate_limit_reached_error", "after 3600 seconds").retry, "never")
    assert.strictEqual(error(429, "rate_limit_reached_error").retry, 1_000)
  })
  it("is never tried again where that cannot help", () => {
    for (const type of [
      "exceeded_current_quota_error",
      "invalid_authentication_error",
      "incorrect_api_key_error",
      "resource_not_found_error",
      "invalid_request_error",
      "content_filter",
    ]) {
      assert.strictEqual(error(400, type).retry, "never", type)
    }
    assert.strictEqual(verdictOnFailure("silent").retry, "never")
    assert.strictEqual(verdictOnFailure("unreachable").retry, "backOff")
    assert.strictEqual(verdictOf({ status: 504, retryAfter: undefined, body: "<html>504</html>" }).retry, "backOff")
  })
  it("never says 402, insufficient_quota, the monthly words, or anything of our account", () => {
    const types = [
      "invalid_request_error",
      "content_filter",
      "exceeded_current_quota_error",
      "engine_overloaded_error",
      "rate_limit_reached_error",
      "invalid_authentication_error",
      "resource_not_found_error",
      "insufficient_quota",
      "server_error",
      "",
    ]
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.integer({ min: 300, max: 599 }), (type, status) => {
        const { refusal } = error(status, type, "Your account org-1a2b <ak-3c4d> with key sk-5e6f is suspended")
        const answer = answerOf(refusal)
        const body = bodyOf(answer)
        assert.notStrictEqual(answer.status, 402)
        assert.isAtLeast(answer.status, 400)
        for (const word of ["insufficient_quota", "org-1a2b", "ak-3c4d", "sk-5e6f", "Monthly usage limit"]) {
          assert.notInclude(body, word)
        }
      }),
    )
    assert.strictEqual(scrub("see org-abc and <x> or sk-12_3, sk-****9aF, AK-77"), "see … and … or …, …, …")
  })
  it("that quotes a hostile request keeps the process busy for no longer than its length", () => {
    const began = performance.now()
    for (const one of ["<", "<a", "org-", "org-. ", "after 1"]) error(400, "invalid_request_error", one.repeat(200_000))
    // Milliseconds; a scan that begins anew at each bracket takes a minute.
    assert.isBelow(performance.now() - began, 5_000)
  })
})
