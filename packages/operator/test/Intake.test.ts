import { assert, describe, it } from "@effect/vitest"
import type { Job } from "@berth/domain/Jobs"
import { decide } from "../src/Intake.ts"
import { ada, desiredState } from "./World.ts"

const sealed = (["proxyToken", "botToken", "gatewayToken"] as const).map((purpose) => ({
  purpose,
  version: 1,
  envelope: "x",
}))
const job = (change: Partial<Job> = {}): Job => ({
  v: 1,
  id: "a",
  reason: "provision",
  customerId: ada,
  generation: 5,
  desired: desiredState,
  sealed,
  enqueuedAt: 0,
  ...change,
})
const none = { agent: 0, record: 0, tombstone: 0 }

describe("a job", () => {
  it("is accepted when nothing newer stands", () => {
    assert.strictEqual(decide(job(), none)._tag, "Accept")
    assert.strictEqual(decide(job(), { agent: 4, record: 4, tombstone: 3 })._tag, "Accept")
  })

  it("is ignored when it is older than the Agent or the record", () => {
    assert.deepStrictEqual(decide(job(), { ...none, agent: 6 }), { _tag: "Ignore", report: false })
    assert.deepStrictEqual(decide(job(), { ...none, record: 6 }), { _tag: "Ignore", report: false })
  })

  it("of a deleted agent is answered by telling again that it is deleted", () => {
    assert.deepStrictEqual(decide(job(), { ...none, tombstone: 5 }), { _tag: "Ignore", report: true })
  })

  it("is only confirmed when it was accepted before, and finished when a crash left it half done", () => {
    assert.deepStrictEqual(decide(job(), { agent: 5, record: 5, tombstone: 0 }), { _tag: "Ignore", report: true })
    assert.strictEqual(decide(job(), { agent: 4, record: 5, tombstone: 0 })._tag, "Accept")
    assert.strictEqual(decide(job(), { agent: 5, record: 0, tombstone: 0 })._tag, "Accept")
  })

  it("is refused when it deletes without being a deprovision, or lacks an envelope of the right version", () => {
    const deletion = { confirmedGeneration: 5 }
    assert.strictEqual(decide(job({ desired: { ...desiredState, deletion } }), none)._tag, "Refuse")
    assert.strictEqual(
      decide(job({ reason: "deprovision", desired: { ...desiredState, deletion } }), none)._tag,
      "Accept",
    )
    assert.strictEqual(decide(job({ sealed: sealed.slice(1) }), none)._tag, "Refuse")
    const rotated = { ...desiredState, secrets: { ...desiredState.secrets, proxyToken: 2 } }
    assert.strictEqual(decide(job({ desired: rotated }), none)._tag, "Refuse")
  })
})
