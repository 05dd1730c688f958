/** Ops stop all traffic, one model or one customer: nothing new is called for at once, and what is under way is cut on every proxy. */
import type { SwitchName } from "@berth/domain/Switches"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as World from "../World.ts"
import * as Fleet from "./Fleet.ts"
import { Gate, modest } from "./Gate.ts"
import { answersOf, counted, many, medianOf, until } from "./GatedFleet.ts"
import * as LightClient from "./LightClient.ts"

const models = ["kimi-k2.6", "kimi-k2.7-code"] as const

describe("what ops stop", () => {
  it.live(
    "is cut on both proxies within a second (median of 3), settled, and refused until it may go on; nothing else is touched",
    () =>
      Effect.gen(function* () {
        const gate = new Gate({ prompt: 20, completion: modest, limit: Number.POSITIVE_INFINITY })
        const alice = World.customer("switches-alice")
        const bob = World.customer("switches-bob")
        const fleet = yield* Fleet.make({ customers: [alice, bob], behaviour: gate.behaviour })
        const send = (customer: World.Customer, model: string) =>
          fleet.proxies.map(({ url }) =>
            LightClient.send(url, customer.token, World.chatBody({ model, stream: true, max_completion_tokens: many })),
          )
        const all = () => [alice, bob].flatMap((customer) => models.map((model) => ({ customer, model })))
        const cases: ReadonlyArray<{
          readonly name: SwitchName
          readonly code: string
          readonly hits: (one: ReturnType<typeof all>[number]) => boolean
        }> = [
          {
            name: `customer:${alice.customerId}`,
            code: "agent_stopped",
            hits: ({ customer }) => customer === alice,
          },
          { name: "model:kimi-k2.7-code", code: "model_stopped", hits: ({ model }) => model === "kimi-k2.7-code" },
          { name: "all", code: "service_stopped", hits: () => true },
        ]
        const cuts: Array<number> = []
        for (const { name, code, hits } of cases) {
          gate.close()
          const before = (yield* counted(fleet)).calls
          const open = all().map((one) => ({ one, sent: send(one.customer, one.model) }))
          yield* until("all are open", 20, () => gate.open === 8)
          const hit = open.filter(({ one }) => hits(one)).flatMap(({ sent }) => sent)
          const spared = open.filter(({ one }) => !hits(one)).flatMap(({ sent }) => sent)
          const begun = performance.now()
          yield* fleet.switches.stop(name, "a reason that is for ops alone")
          for (const { whole, text } of yield* answersOf(hit)) {
            assert.isFalse(whole && text.includes("[DONE]"))
            assert.include(text, code)
            assert.notInclude(text, "for ops alone")
          }
          cuts.push(performance.now() - begun)
          // What is refused now is not called for, on either proxy.
          const called = fleet.stub.received.length
          for (const one of all().filter(hits)) {
            for (const answer of yield* answersOf(send(one.customer, one.model)))
              assert.deepStrictEqual([answer.status, answer.code], [423, code])
          }
          assert.strictEqual(fleet.stub.received.length, called)
          assert.strictEqual(gate.open, spared.length)
          gate.release()
          for (const { status, whole } of yield* answersOf(spared)) assert.deepStrictEqual([status, whole], [200, true])
          for (const customer of [alice, bob]) yield* fleet.settled(customer)
          const { usage } = yield* counted(fleet)
          assert.strictEqual(usage.slice(before).filter(({ estimated }) => estimated).length, hit.length)
          assert.lengthOf(usage, before + 8)
          yield* fleet.switches.resume(name)
          // Each proxy looks twice a second; what it knew last counts until then.
          const deadline = performance.now() + 10_000
          while ((yield* answersOf(send(alice, "kimi-k2.7-code"))).some(({ status }) => status !== 200))
            assert.isBelow(performance.now(), deadline, `still refused: ${name}`)
          for (const one of all()) {
            for (const { status } of yield* answersOf(send(one.customer, one.model))) assert.strictEqual(status, 200)
          }
          for (const customer of [alice, bob]) yield* fleet.settled(customer)
        }
        // A machine that is busy with other things for a moment delays one of them, though never by much.
        assert.isBelow(Math.max(...cuts), 3_000, `${cuts}`)
        assert.isBelow(medianOf(cuts), 1_000, `${cuts}`)
        for (const customer of [alice, bob]) {
          const own = (yield* counted(fleet)).usage.filter((one) => one.customerId === customer.customerId)
          const sum = own.reduce((total, one) => total + one.charge, 0)
          assert.strictEqual((yield* fleet.settled(customer)).used, sum)
        }
      }),
    180_000,
  )
})
