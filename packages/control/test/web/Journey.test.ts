import { assert, describe, it } from "@effect/vitest"
import { steps } from "@berth/domain/Lifecycle"
import * as FastCheck from "fast-check"
import type { CustomerEvent } from "../../src/api/Events.ts"
import { connected, type Journey, receive, start } from "../../src/web/live/Journey.ts"

type WithoutPlace<E> = E extends CustomerEvent ? Omit<E, "seq" | "at"> : never

/** A customer's stream with its seqs and times. */
const stream = (...events: ReadonlyArray<WithoutPlace<CustomerEvent>>): ReadonlyArray<CustomerEvent> =>
  events.map((event, place) => ({ ...event, seq: place + 1, at: 1_000 * (place + 1) }) as CustomerEvent)

const say = (seq: number): WithoutPlace<CustomerEvent> => ({
  _tag: "message",
  conversationId: "c",
  message: { seq, role: "assistant", text: `${seq}`, cards: [], at: seq },
})

const applied = (journey: Journey, event: CustomerEvent): Journey => {
  const received = receive(journey, event)
  return received._tag === "Missing" ? journey : received.journey
}
const follow = (events: ReadonlyArray<CustomerEvent>, from: Journey = start): Journey => events.reduce(applied, from)

const sold = stream(
  say(1),
  { _tag: "paid", orderId: "o" },
  ...steps.map((step) => ({ _tag: "step", step }) as const),
  say(2),
  { _tag: "active", botUsername: "bot", text: "live" },
)

describe("Journey", () => {
  it("follows a sale from payment over ten steps to the live bot", () => {
    const journey = follow(sold)
    assert.strictEqual(journey.paidAt, 2_000)
    assert.deepStrictEqual(
      journey.run.map(({ step }) => step),
      [...steps],
    )
    assert.strictEqual(journey.live?.botUsername, "bot")
    assert.strictEqual(journey.seq, sold.length)
  })

  it("applies nothing twice", () => {
    const once = follow(sold)
    for (const event of sold) assert.strictEqual(receive(once, event)._tag, "Repeated")
  })

  it("refuses to step over a hole and asks for what follows the last one applied", () => {
    const journey = follow(sold.slice(0, 3))
    const ahead = receive(journey, sold[4]!)
    assert.deepStrictEqual(ahead, { _tag: "Missing", after: 3 })
  })

  it("believes the server about what comes first after connecting", () => {
    const journey = connected(follow(sold.slice(0, 3)))
    assert.strictEqual(receive(journey, sold[4]!)._tag, "Applied")
    assert.strictEqual(receive(follow(sold.slice(4, 5), journey), sold[6]!)._tag, "Missing")
  })

  it("ends in the same state however often the connection drops and whatever is sent again", () => {
    const breaks = FastCheck.array(
      FastCheck.record({
        deliver: FastCheck.nat(sold.length),
        /** How many events before the wanted one a careless server repeats. */
        repeats: FastCheck.nat(3),
        loses: FastCheck.boolean(),
      }),
    )
    FastCheck.assert(
      FastCheck.property(breaks, (connections) => {
        let journey = start
        const connect = (deliver: number, repeats: number, loses: boolean) => {
          journey = connected(journey)
          const from = Math.max(0, journey.seq - repeats)
          const sent = sold.slice(from, from + deliver)
          // What comes first is the server's word; only a later frame can be lost.
          for (const event of loses ? sent.toSpliced(1, 1) : sent) {
            const received = receive(journey, event)
            if (received._tag === "Missing") return
            journey = received.journey
          }
        }
        for (const { deliver, repeats, loses } of connections) connect(deliver, repeats, loses)
        connect(sold.length, 0, false)
        assert.deepStrictEqual(connected(journey), connected(follow(sold)))
      }),
    )
  })

  it("begins the steps anew when provisioning does, and forgets the failure before", () => {
    const events = stream(
      { _tag: "paid", orderId: "o" },
      { _tag: "step", step: "Namespace" },
      { _tag: "step", step: "ServiceAccount" },
      { _tag: "failed", reason: "x", message: "broken", retriable: true },
      { _tag: "step", step: "Namespace" },
    )
    const failed = follow(events.slice(0, 4))
    assert.strictEqual(failed.failure?.message, "broken")
    assert.strictEqual(failed.run.length, 2)
    const again = follow(events.slice(4), failed)
    assert.isNull(again.failure)
    assert.deepStrictEqual(again.run, [{ step: "Namespace", at: 5_000 }])
  })

  it("keeps its place over an event that it does not know", () => {
    const journey = follow(sold.slice(0, 2))
    const received = receive(journey, { _tag: "unknown", seq: 3 })
    assert.strictEqual(received._tag, "Applied")
    assert.strictEqual(received._tag === "Applied" && receive(received.journey, sold[3]!)._tag, "Applied")
  })

  it("keeps the latest word on the month's tokens", () => {
    const alert = (percent: 50 | 80) =>
      ({ _tag: "usage.alert", percent, used: percent, limit: 100, period: 0, resetsAt: 9 }) as const
    const journey = follow(stream(alert(50), alert(80), say(1)))
    assert.deepInclude(journey.alert, { percent: 80, seq: 2 })
  })

  it("shows a deleted agent as gone until the next payment", () => {
    const gone = follow([{ _tag: "deleted", seq: sold.length + 1, at: 1 }], follow(sold))
    assert.isTrue(gone.deleted)
    assert.isNull(gone.live)
    assert.strictEqual(gone.messages.length, 2)
    const back = follow([{ _tag: "paid", orderId: "p", seq: sold.length + 2, at: 2 }], gone)
    assert.isFalse(back.deleted)
  })
})
