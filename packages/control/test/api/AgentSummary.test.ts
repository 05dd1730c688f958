import { Phase } from "@berth/domain/Lifecycle"
import { assert, describe, it } from "vitest"
import { isReachable, summarize } from "../../src/api/AgentSummary.ts"

const trouble = (reason: string) => [{ reason }]

describe("what is said of an agent", () => {
  it("is that it is live only while messages get to it", () => {
    for (const troubles of [[], trouble("DiskNearlyFull"), trouble("OutOfMemory")]) {
      assert.isTrue(isReachable("active", troubles))
      assert.strictEqual(summarize("active", "ada_bot", [], null, troubles), "Your agent is live. Message @ada_bot.")
    }
    for (const reason of ["BotTokenRejected", "TelegramNotConnected"]) {
      assert.isFalse(isReachable("active", trouble(reason)))
      assert.strictEqual(
        summarize("active", "ada_bot", [], null, trouble(reason)),
        "Your agent runs, but messages to @ada_bot do not get to it.",
      )
    }
  })

  it("is never that it is reachable in any other phase", () => {
    for (const phase of Phase.literals) if (phase !== "active") assert.isFalse(isReachable(phase, []), phase)
  })

  it("names why it is suspended or failed, and what to do", () => {
    assert.include(summarize("suspended", "ada_bot", ["payment"], null, []), "Pay, and it comes back with its data")
    const failure = { message: "There is no room.", retriable: true }
    assert.strictEqual(
      summarize("failed", "ada_bot", [], failure, []),
      "Your agent could not be started: There is no room. It is being tried again.",
    )
  })
})
