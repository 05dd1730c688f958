import { assert, describe, it } from "@effect/vitest"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { CustomerId } from "../src/Ids.ts"
import { Job, JobJson } from "../src/Jobs.ts"

const job: Job = {
  v: 1,
  id: "job-1",
  reason: "provision",
  customerId: CustomerId.make("ada"),
  generation: 4,
  desired: {
    tier: "pro",
    models: ["kimi-k2.6", "kimi-k2.7-code"],
    imageChannel: "stable",
    telegram: { botUsername: "ada_bot", allowedUserIds: ["42"] },
    suspended: ["payment"],
    secrets: { proxyToken: 1, botToken: 2, gatewayToken: 3 },
    restartedAt: 1_700_000_000_000,
    deletion: { confirmedGeneration: 4 },
  },
  sealed: [{ purpose: "proxyToken", version: 1, envelope: "YWdl" }],
  enqueuedAt: 1_700_000_000_001,
}

const decode = Schema.decodeUnknownExit(JobJson)
const refused = (change: (json: Record<string, any>) => void): boolean => {
  const json = JSON.parse(Schema.encodeSync(JobJson)(job)) as Record<string, any>
  change(json)
  return Exit.isFailure(decode(JSON.stringify(json)))
}

describe("Job", () => {
  it.prop("reads what it wrote, unchanged", { any: Job }, ({ any }) => {
    const write = Schema.encodeSync(JobJson)
    const read = Schema.decodeSync(JobJson)
    assert.deepStrictEqual(read(write(job)), job)
    assert.strictEqual(write(read(write(any))), write(any))
  })

  it("refuses what it does not understand instead of acting on a part of it", () => {
    assert.isTrue(Exit.isFailure(decode("not JSON")))
    assert.isTrue(refused((json) => (json["v"] = 2)))
    assert.isTrue(refused((json) => (json["reason"] = "destroy")))
    assert.isTrue(refused((json) => (json["generation"] = 0)))
    assert.isTrue(refused((json) => (json["customerId"] = "../bob")))
    assert.isTrue(refused((json) => (json["desired"].models = [])))
    assert.isTrue(refused((json) => (json["desired"].tier = "internal")))
    assert.isTrue(refused((json) => (json["desired"].suspended = ["whim"])))
    assert.isTrue(refused((json) => (json["desired"].telegram.allowedUserIds = ["*"])))
    assert.isTrue(refused((json) => delete json["desired"].secrets.botToken))
  })

  it("names customers so that they fit a namespace", () => {
    const fits = (id: string) => Exit.isSuccess(Schema.decodeUnknownExit(CustomerId)(id))
    assert.isTrue(["a", "ada", "a-b", "0x", "a".repeat(40)].every(fits))
    assert.isFalse(["", "-a", "a-", "A", "a_b", "a.b", "a".repeat(41), "a\n"].some(fits))
  })
})
