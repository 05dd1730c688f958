import { nameOf } from "../src/Telemetry.ts"
import { assert, describe, it } from "@effect/vitest"

describe("the name of a request's span", () => {
  it("holds neither ids nor the query, so that names stay few", () => {
    assert.strictEqual(nameOf("POST", "/v1/chat/completions?a=1"), "POST /v1/chat/completions")
    assert.strictEqual(nameOf("GET", "/api/conversations/c_81hf2/messages"), "GET /api/conversations/:id/messages")
    assert.strictEqual(nameOf("GET", "/v1/models/kimi-k2.6"), "GET /v1/models/:id")
    assert.strictEqual(nameOf("GET", "/"), "GET /")
  })
})
