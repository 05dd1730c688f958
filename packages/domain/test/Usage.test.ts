import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { CustomerId, RequestId } from "../src/Ids.ts"
import { chargeOf, sourceIdOf, Usage, UsageEvent } from "../src/Usage.ts"

const usage = (some: Partial<Usage>): Usage => ({ prompt: 0, cached: 0, completion: 0, reasoning: 0, ...some })

describe("Usage", () => {
  it("charges 1,200 prompt and 800 completion tokens at 2,000", () => {
    assert.strictEqual(chargeOf(usage({ prompt: 1_200, completion: 800 })), 2_000)
  })

  it("charges cached prompt tokens at a sixth, rounded up, and reasoning only as completion", () => {
    assert.strictEqual(chargeOf(usage({ prompt: 1_200, cached: 600, completion: 800, reasoning: 700 })), 1_500)
    assert.strictEqual(chargeOf(usage({ prompt: 7, cached: 7 })), 2)
    assert.strictEqual(chargeOf(usage({ prompt: 1, cached: 1 })), 1)
  })

  it("takes more cached than prompt tokens as all cached", () => {
    assert.strictEqual(chargeOf(usage({ prompt: 60, cached: 6_000 })), 10)
  })

  it.prop("never charges more than was used, nor less than a sixth of it", { used: Usage }, ({ used }) => {
    const charge = chargeOf(used)
    assert.isAtMost(charge, used.prompt + used.completion)
    assert.isAtLeast(charge * 6, used.prompt + used.completion)
  })

  it("knows an event and its truth apart, and the same event again", () => {
    const common = { customerId: CustomerId.make("ada"), at: 1, period: 2 }
    const call = { ...common, requestId: RequestId.make("r"), attempt: 3 }
    const counted = { model: "kimi-k2.6", usage: usage({}), charge: 0, background: true, estimated: false }
    const facts = { ...counted, priceVersion: "v", traceId: "" }
    const events: ReadonlyArray<UsageEvent> = [
      { _tag: "usage", ...call, ...facts },
      { _tag: "lost", ...call, ask: 9 },
      { _tag: "correction", ...call, ...facts },
      { _tag: "period", ...common, startsAt: 0, endsAt: 9, plan: 5 },
      { _tag: "exhausted", ...common, used: 90, limit: 100 },
    ]
    const sources = ["usage:r:3", "lost:r:3", "usage:r:3", "period:ada:2", "exhausted:ada:2:100"]
    assert.deepStrictEqual(events.map(sourceIdOf), sources)
    const codec = Schema.fromJsonString(UsageEvent)
    for (const event of events) assert.deepStrictEqual(Schema.decodeSync(codec)(Schema.encodeSync(codec)(event)), event)
  })

  it("reads an event from before background turns were told apart as none", () => {
    const old = `{"_tag":"usage","customerId":"ada","at":1,"period":0,"requestId":"r","attempt":1,"model":"kimi-k2.6",
      "usage":{"prompt":1,"cached":0,"completion":0,"reasoning":0},"charge":1,"estimated":false,"priceVersion":"v",
      "traceId":""}`
    const event = Schema.decodeSync(Schema.fromJsonString(UsageEvent))(old)
    assert.isFalse(event._tag === "usage" && event.background)
    assert.isTrue(event._tag === "usage")
  })
})
