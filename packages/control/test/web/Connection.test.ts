import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import { CallFailed, failureOf, mayRetry } from "../../src/web/client/Failure.ts"
import { waitMs } from "../../src/web/live/Backoff.ts"

describe("Backoff", () => {
  it("doubles from half a second and never exceeds 15 seconds", () => {
    assert.deepStrictEqual(
      [1, 2, 3, 4, 5, 6, 7, 50].map((failures) => waitMs(failures, 1)),
      [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000],
    )
  })

  it("always waits at least half of its ceiling", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 0, max: 1_000 }),
        FastCheck.double({ min: 0, max: 1, noNaN: true }),
        (n, random) => {
          const wait = waitMs(n, random)
          assert.isAtLeast(wait, waitMs(n, 1) / 2 - 1)
          assert.isAtMost(wait, 15_000)
        },
      ),
    )
  })
})

describe("Failure", () => {
  it("tries again by itself only if nothing is known to have happened", () => {
    const transport = { _tag: "HttpClientError", reason: { _tag: "TransportError" } }
    const gateway = { _tag: "HttpClientError", reason: { _tag: "StatusCodeError" }, response: { status: 502 } }
    const limited = { _tag: "HttpClientError", reason: { _tag: "DecodeError" }, response: { status: 429 } }
    for (const error of [transport, gateway, limited, { _tag: "TimeoutError" }, { _tag: "StoreUnavailable" }, null]) {
      assert.isTrue(mayRetry(error), JSON.stringify(error))
    }
    const odd = { _tag: "HttpClientError", reason: { _tag: "DecodeError" }, response: { status: 200 } }
    for (const error of [
      odd,
      { _tag: "Rejected" },
      { _tag: "NotFound" },
      { _tag: "Unauthorized" },
      { _tag: "SchemaError" },
    ]) {
      assert.isFalse(mayRetry(error), JSON.stringify(error))
    }
  })

  it("keeps the server's reason for a refusal", () => {
    const failure = failureOf({ _tag: "Rejected", message: "Too long." })
    assert.strictEqual(failure.kind, "rejected")
    assert.strictEqual(failure.message, "Too long.")
    assert.strictEqual(failureOf(failure), failure)
    assert.instanceOf(failure, CallFailed)
  })
})
