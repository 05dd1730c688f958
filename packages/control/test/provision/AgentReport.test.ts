import type { AgentEvent } from "@berth/domain/AgentEvents"
import { CustomerId, OrderId } from "@berth/domain/Ids"
import { Phase } from "@berth/domain/Lifecycle"
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { type AgentState, decide } from "../../src/provision/AgentReport.ts"
import { desiredOf } from "../../src/provision/DesiredState.ts"

const customerId = CustomerId.make("ann")

const fresh: AgentState = {
  orderId: OrderId.make("ord_1"),
  generation: 1,
  desired: desiredOf(
    { tier: "pro", botUsername: "ann_bot", telegramUserId: "1" },
    { botToken: 1, proxyToken: 1, gatewayToken: 1 },
  ),
  phase: "pending",
  reportedGeneration: 0,
  reportedSeq: 0,
  reportedAt: 0,
  steps: [],
  failure: null,
  troubles: [],
}

const rejected = { condition: "BotToken", reason: "BotTokenRejected", message: "Send a new one.", needsOwner: true }
const disk = (reason: string) => ({ condition: "Disk", reason, message: "Tidy up.", needsOwner: true })

const common = (generation: number, seq: number, at = seq) => ({ customerId, generation, seq, at })

const after = (agent: AgentState, event: AgentEvent): AgentState => ({ ...agent, ...decide(agent, event).next })

const Event = Schema.Struct({
  tag: Schema.Literals(["active", "suspended", "deleted", "failed", "troubled", "recovered", "step", "resync"]),
  phase: Phase,
  generation: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 })),
  seq: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })),
})

const eventOf = ({ tag, phase, generation, seq }: typeof Event.Type): AgentEvent => {
  const base = common(generation, seq)
  switch (tag) {
    case "resync":
      return { _tag: tag, phase, ...base, ...(seq % 2 === 0 ? {} : { troubles: seq % 3 === 0 ? [rejected] : [] }) }
    case "troubled":
      return { _tag: tag, ...rejected, ...base }
    case "recovered":
      return { _tag: tag, condition: "BotToken", reason: "BotTokenRejected", message: "fine", ...base }
    case "step":
      return { _tag: tag, step: "Secret", ...base }
    case "failed":
      return { _tag: tag, reason: "r", message: "m", retriable: true, ...base }
    default:
      return { _tag: tag, ...base }
  }
}

describe("an operator's report", () => {
  it.prop("that was handled before changes nothing, whatever came in between", [Schema.Array(Event)], ([drawn]) => {
    const events = drawn.map(eventOf)
    let agent = fresh
    for (const event of events) agent = after(agent, event)
    for (const event of events) {
      const report = decide(agent, event)
      assert.isUndefined(report.next)
      assert.deepStrictEqual(report.tell, [])
      assert.deepStrictEqual(report.call, [])
      assert.isFalse(report.live)
    }
  })

  it("of a failure keeps the reason until the agent leaves that phase", () => {
    const failed = after(fresh, { _tag: "failed", reason: "Quota", message: "full", retriable: true, ...common(1, 1) })
    assert.deepInclude(failed, { phase: "failed", failure: { reason: "Quota", message: "full", retriable: true } })
    const seen = after(failed, { _tag: "resync", phase: "failed", ...common(1, 2) })
    assert.isNotNull(seen.failure)
    assert.isNull(after(seen, { _tag: "step", step: "Quota", ...common(1, 3) }).failure)
  })

  it("from an operator that lost its cluster and counts anew is taken, by its clock", () => {
    const active = after(fresh, { _tag: "active", ...common(1, 12, 5_000) })
    assert.deepInclude(after(active, { _tag: "step", step: "Secret", ...common(1, 1, 9_000) }), {
      phase: "updating",
      reportedSeq: 12,
      reportedAt: 9_000,
    })
  })

  it("that skips a phase is taken, and told as a gap", () => {
    const report = decide(fresh, { _tag: "active", ...common(1, 9) })
    assert.strictEqual(report.next?.phase, "active")
    assert.isTrue(report.skipped)
  })

  it("of an older generation asks for the newest job again, only at a resync", () => {
    const newer = { ...fresh, generation: 3 }
    assert.isTrue(decide(newer, { _tag: "resync", phase: "active", ...common(2, 1) }).again)
    assert.isFalse(decide(newer, { _tag: "active", ...common(2, 1) }).again)
    assert.isFalse(decide(newer, { _tag: "resync", phase: "active", ...common(3, 1) }).again)
  })

  const told = (agent: AgentState, event: AgentEvent) =>
    decide(agent, event).tell.map(({ event: { _tag, ...rest } }) =>
      "reason" in rest ? `${_tag} ${rest.reason}` : _tag,
    )

  it("of a trouble is told once, with a mail if only its owner can mend it, and so is its end", () => {
    const active = after(fresh, { _tag: "active", ...common(1, 1) })
    const event = { _tag: "troubled", ...rejected, ...common(1, 2) } as const
    assert.deepStrictEqual(told(active, event), ["troubled BotTokenRejected"])
    assert.deepStrictEqual(
      decide(active, event).call.map(({ reason }) => reason),
      ["BotTokenRejected"],
    )
    const ours = { ...event, condition: "Telegram", reason: "TelegramNotConnected", needsOwner: false }
    assert.deepStrictEqual(decide(active, ours).call, [])
    const ill = after(active, event)
    assert.deepStrictEqual(ill.troubles, [{ ...rejected, since: 2 }])
    assert.strictEqual(ill.phase, "active")
    assert.deepStrictEqual(told(ill, { ...event, ...common(1, 3) }), [])
    const end = {
      _tag: "recovered",
      condition: "BotToken",
      reason: rejected.reason,
      message: "x",
      ...common(1, 4),
    } as const
    assert.deepStrictEqual(told(ill, end), ["recovered BotTokenRejected"])
    assert.deepStrictEqual(after(ill, end).troubles, [])
  })

  it("of another trouble on the same side takes the place of the one before, which has not ended", () => {
    const active = after(fresh, { _tag: "active", ...common(1, 1) })
    const nearly = after(active, { _tag: "troubled", ...disk("DiskNearlyFull"), ...common(1, 2) })
    const full = { _tag: "troubled", ...disk("DiskFull"), ...common(1, 3) } as const
    assert.deepStrictEqual(told(nearly, full), ["troubled DiskFull"])
    assert.deepStrictEqual(
      after(nearly, full).troubles.map(({ reason }) => reason),
      ["DiskFull"],
    )
  })

  it("forgets troubles of an agent that stops or fails, without calling it well", () => {
    const ill = after(after(fresh, { _tag: "active", ...common(1, 1) }), {
      _tag: "troubled",
      ...rejected,
      ...common(1, 2),
    })
    const failed = { _tag: "failed", reason: "NoRoom", message: "m", retriable: true, ...common(1, 3) } as const
    assert.deepStrictEqual(told(ill, failed), ["failed NoRoom"])
    assert.deepStrictEqual(after(ill, failed).troubles, [])
    assert.deepStrictEqual(told(ill, { _tag: "suspended", ...common(1, 3) }), ["suspended"])
  })

  it("at a resync tells of troubles that got lost, also of their end; one that says nothing of them changes nothing", () => {
    const active = after(fresh, { _tag: "active", ...common(1, 1) })
    const resync = { _tag: "resync", phase: "active", ...common(1, 5) } as const
    const found = { ...resync, troubles: [rejected] }
    assert.deepStrictEqual(told(active, found), ["active", "troubled BotTokenRejected"])
    const ill = after(active, found)
    assert.deepStrictEqual(ill.troubles, [{ ...rejected, since: 5 }])
    const later = { ...found, ...common(1, 9) }
    assert.deepStrictEqual(after(ill, later).troubles, [{ ...rejected, since: 5 }])
    assert.deepStrictEqual(told(ill, later), ["active"])
    assert.deepStrictEqual(after(ill, { ...resync, ...common(1, 9) }).troubles, ill.troubles)
    assert.deepStrictEqual(told(ill, { ...later, troubles: [] }), ["active", "recovered BotTokenRejected"])
  })
})
