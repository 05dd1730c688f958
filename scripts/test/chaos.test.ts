/** That the judge of a chaos run sees what is wrong. */
import { assert, describe, it } from "vitest"
import { traceOf, type Sent } from "../chaos/Load.ts"
import { type Charged, type Evidence, judge, safeAt } from "../chaos/Verdict.ts"
import type { Served } from "../chaos/Upstream.ts"

const sent = (some: Partial<Sent> = {}): Sent => ({
  mark: "m",
  customerId: "ann",
  proxy: 0,
  sentAt: 1_000,
  status: 200,
  ...some,
})
const served = (some: Partial<Served> = {}): Served => ({
  mark: "m",
  begunAt: 1_010,
  usage: { prompt: 10, cached: 6, completion: 5, reasoning: 0 },
  endedAt: 1_100,
  textBytes: 40,
  ...some,
})
const broken = served({ usage: undefined, endedAt: undefined })
const charged = (some: Partial<Charged> = {}): Charged => ({
  customerId: "ann",
  traceId: traceOf("m"),
  tokens: 10,
  completion: 5,
  estimated: false,
  ...some,
})
const evidence = (some: Partial<Evidence>): Evidence => ({
  sent: [sent()],
  served: [served()],
  charged: [charged()],
  proxies: [[{ from: 0, to: undefined }]],
  redis: [{ from: 0, to: undefined }],
  cuts: [],
  ...some,
})
const wrong = (some: Partial<Evidence>) => judge(evidence(some)).violations.join("; ")

describe("the judge of a chaos run", () => {
  it("finds nothing wrong where what was served is charged, and sums it up", () => {
    const { accounts, violations } = judge(evidence({}))
    assert.deepStrictEqual(violations, [])
    const nothing = { calls: 0, tokens: 0 }
    const once = { calls: 1, tokens: 10 }
    assert.deepStrictEqual(accounts, [
      { customerId: "ann", served: once, charged: once, lost: nothing, estimated: nothing },
    ])
  })

  it.each<[string, string, Partial<Evidence>]>([
    ["a call that is charged twice", "charged 2 times", { charged: [charged(), charged()] }],
    ["a charge above what was served", "charged 11, served 10", { charged: [charged({ tokens: 11 })] }],
    ["a charge below it", "charged 9, served 10", { charged: [charged({ tokens: 9 })] }],
    ["a charge for what was never served", "charged 10, served nothing", { served: [] }],
    ["a charge to somebody else", "charged to bob", { charged: [charged({ customerId: "bob" })] }],
    ["a charge for a call of nobody", "which nobody sent", { charged: [charged(), charged({ traceId: "x" })] }],
    ["an estimate of what the upstream told", "estimated at 10", { charged: [charged({ estimated: true })] }],
    [
      "an estimate above the bytes seen",
      "estimated at 41 tokens of 40 bytes",
      { served: [broken], charged: [charged({ estimated: true, completion: 41 })] },
    ],
    ["a call that was lost by a proxy that lives", "though its proxy lived", { charged: [] }],
    [
      "a call that was lost by a proxy that died long after",
      "ms longer than it had to",
      { charged: [], proxies: [[{ from: 0, to: 60_000 }]] },
    ],
    ["a call that never ended", "neither answered nor ended", { sent: [sent({ status: undefined })] }],
    [
      "a call of an unknown mark",
      'served "other", which nobody sent',
      { served: [served(), served({ mark: "other" })] },
    ],
  ])("tells of %s", (_what, words, some) => {
    assert.include(wrong(some), words)
  })

  it("accepts what died with its proxy, and an estimate of what broke off", () => {
    const died = judge(
      evidence({
        charged: [],
        proxies: [
          [
            { from: 0, to: 2_000 },
            { from: 3_000, to: undefined },
          ],
        ],
      }),
    )
    assert.deepStrictEqual(died.violations, [])
    assert.deepStrictEqual(died.accounts[0]?.lost, { calls: 1, tokens: 10 })
    assert.strictEqual(wrong({ served: [broken], charged: [charged({ estimated: true })] }), "")
    assert.strictEqual(wrong({ served: [broken], charged: [] }), "")
  })

  it("counts a call as safe once Redis had the time to take it, and again after a power cut", () => {
    const always = [{ from: 0, to: undefined }]
    assert.strictEqual(safeAt(1_000, always, []), 4_000)
    const down = [
      { from: 0, to: 1_500 },
      { from: 9_000, to: undefined },
    ]
    assert.strictEqual(safeAt(1_000, down, []), 12_000, "it was away")
    const cut = [
      { from: 0, to: 6_000 },
      { from: 9_000, to: undefined },
    ]
    assert.strictEqual(safeAt(1_000, cut, []), 4_000, "killed, with all of its file")
    assert.strictEqual(safeAt(1_000, cut, [{ at: 6_000, lostBytes: 9, whole: false }]), 12_000)
    const later = [
      { from: 0, to: 20_000 },
      { from: 21_000, to: undefined },
    ]
    assert.strictEqual(safeAt(1_000, later, [{ at: 20_000, lostBytes: 9, whole: false }]), 4_000, "long before")
    assert.strictEqual(safeAt(1_000, later, [{ at: 20_000, lostBytes: 9, whole: true }]), 24_000, "not recorded yet")
  })
})
