import { assert, describe, it } from "@effect/vitest"
import { refusal } from "../src/Embedded.ts"

describe("embedded ports", () => {
  it("are refused in production, each by the variable that is missing", () => {
    const message = refusal("production", { jobs: "REDIS_URL", cluster: undefined, mail: "SMTP_URL" })
    assert.strictEqual(message, "BERTH_ENV=production refuses embedded ports: set REDIS_URL (jobs), SMTP_URL (mail).")
  })

  it("are fine elsewhere, and production is fine without them", () => {
    assert.isUndefined(refusal("development", { jobs: "REDIS_URL" }))
    assert.isUndefined(refusal("production", { jobs: undefined }))
  })
})
