/**
 * Each row of what Kimi answers when it does not answer: what our client is told, whether it was tried again, and by what
 * reason it is counted. The table stands in docs/errors.md in the customer's terms.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Metrics from "../src/Metrics.ts"
import { errorIn, face } from "./Ordeal.ts"
import * as Stub from "./StubUpstream.ts"

const faults = (reason: string) =>
  Effect.map(Metric.value(Metric.withAttributes(Metrics.upstreamFaults, { reason })), (state) => Number(state.count))

interface Row {
  readonly status: number
  readonly type: string
  readonly message?: string
  readonly retryAfter?: string
  readonly tries: number
  readonly reason: string
  readonly answer: {
    readonly status: number
    readonly type: string
    readonly code: string | null
    readonly retryAfter: string | null
  }
}

const busy = { status: 429, type: "rate_limit_exceeded", code: "rate_limit_exceeded", retryAfter: "2" }
const down = { status: 503, type: "server_error", code: "upstream_unavailable", retryAfter: "2" }
const rejected = { status: 400, type: "invalid_request_error", code: null, retryAfter: null }
const refusesUs = { status: 424, type: "failed_dependency", code: "upstream_refused", retryAfter: null }
const noModel = { ...refusesUs, code: "upstream_model_missing" }
const ours = "Your account org-1 <ak-2> request reached max"

const rows: ReadonlyArray<Row> = [
  { status: 400, type: "invalid_request_error", tries: 1, reason: "rejected", answer: rejected },
  {
    status: 400,
    type: "content_filter",
    tries: 1,
    reason: "filtered",
    answer: { status: 400, type: "content_filter", code: "content_declined", retryAfter: null },
  },
  { status: 401, type: "invalid_authentication_error", tries: 1, reason: "key", answer: refusesUs },
  { status: 401, type: "incorrect_api_key_error", tries: 1, reason: "key", answer: refusesUs },
  { status: 404, type: "resource_not_found_error", tries: 1, reason: "model", answer: noModel },
  ...["concurrency: 50", "RPM: 3", "TPM: 3000000", "TPD: 9"].map((limit) => ({
    status: 429,
    type: "rate_limit_reached_error",
    message: `${ours} ${limit}, please try again after 0 seconds`,
    tries: 3,
    reason: "rateLimit",
    answer: busy,
  })),
  {
    status: 429,
    type: "rate_limit_reached_error",
    message: `${ours} TPD: 1500000, please try again after 1800 seconds`,
    tries: 1,
    reason: "rateLimit",
    answer: { ...busy, retryAfter: "1800" },
  },
  {
    status: 429,
    type: "rate_limit_reached_error",
    retryAfter: "86400",
    tries: 1,
    reason: "rateLimit",
    answer: { ...busy, retryAfter: "3600" },
  },
  { status: 429, type: "engine_overloaded_error", tries: 3, reason: "overloaded", answer: down },
  { status: 429, type: "exceeded_current_quota_error", tries: 1, reason: "quota", answer: refusesUs },
  { status: 403, type: "exceeded_current_quota_error", tries: 1, reason: "quota", answer: refusesUs },
  { status: 499, type: "client_closed_request", tries: 1, reason: "closed", answer: down },
  { status: 500, type: "server_error", tries: 3, reason: "server", answer: down },
  { status: 503, type: "server_unavailable", tries: 3, reason: "server", answer: down },
  // Not in the table, but it must come to something sane.
  { status: 418, type: "unheard_of", tries: 1, reason: "unknown", answer: down },
  { status: 402, type: "insufficient_quota", tries: 1, reason: "quota", answer: refusesUs },
]

const titleOf = ({ status, type, message, retryAfter, tries, answer }: Row): string =>
  [
    `${status} ${type}`,
    ...(message === undefined ? [] : [`(${message.split(" max ")[1]})`]),
    ...(retryAfter === undefined ? [] : [`with Retry-After ${retryAfter}`]),
    `is ${answer.status} ${answer.code ?? answer.type}, Retry-After ${answer.retryAfter ?? "none"},`,
    tries === 1 ? "and not tried again" : `after ${tries} tries`,
  ].join(" ")

describe("an error of Kimi's", () => {
  for (const row of rows) {
    const { status, type, message = ours, retryAfter, tries, reason, answer } = row
    it.live(
      titleOf(row),
      () =>
        Effect.gen(function* () {
          const before = yield* faults(reason)
          const seen = yield* face(
            Stub.failing(status, type, message, retryAfter === undefined ? {} : { "retry-after": retryAfter }),
          )
          const error = errorIn(seen)
          assert.deepStrictEqual(
            { status: seen.status, type: error.type, code: error.code, retryAfter: seen.headers.get("retry-after") },
            answer,
          )
          assert.strictEqual(seen.tries, tries)
          assert.strictEqual((yield* faults(reason)) - before, tries)
          assert.deepStrictEqual([seen.used, seen.events], [0, []])
        }),
      30_000,
    )
  }

  it.live("an HTML page of 504 is 503 after three tries", () =>
    Effect.gen(function* () {
      const before = yield* faults("server")
      const seen = yield* face(Stub.html504)
      assert.deepStrictEqual([seen.status, errorIn(seen).code, seen.tries], [503, "upstream_unavailable", 3])
      assert.strictEqual((yield* faults("server")) - before, 3)
    }),
  )
})
