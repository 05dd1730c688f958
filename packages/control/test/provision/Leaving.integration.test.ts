/** From the wish to delete an agent to the mail with its data, through billing's own steps on a real Postgres. */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import { ExportStore, keyOf } from "@berth/domain/Exports"
import type { CustomerId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import { Payments } from "../../src/billing/Payments.ts"
import { Mailbox } from "../../src/embedded/Mailbox.ts"
import { StripeDouble } from "../../src/embedded/StripeDouble.ts"
import { removeExpired } from "../../src/exports/ExportExpiry.ts"
import { ExportLinks } from "../../src/exports/ExportLinks.ts"
import { Exports } from "../../src/exports/Exports.ts"
import * as Mails from "../../src/notify/Mails.ts"
import * as AgentReports from "../../src/provision/AgentReports.ts"
import * as AgentRequests from "../../src/provision/AgentRequests.ts"
import { Agents } from "../../src/provision/Agents.ts"
import * as Worker from "../../src/Worker.ts"
import {
  customer,
  jobsPushed,
  november,
  relayed,
  reported,
  stripeEvents,
  webhooksArrived,
  world,
} from "../billing/World.ts"

const common = (customerId: CustomerId, generation: number, seq: number) => ({
  customerId,
  generation,
  seq,
  at: november + seq,
})

const data = (customerId: CustomerId, generation: number) => ({
  key: keyOf(customerId, generation),
  size: 4_200_000,
  sha256: "ab".repeat(32),
})

const mailsSent = Effect.gen(function* () {
  const step = Worker.drain({ queue: "mails", attempts: 3, longestWaitMillis: 1_000 })(Mails.deliver)
  while (yield* step);
  return yield* (yield* Mailbox).mails
})

const desiredOf = Effect.fn(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const [row] = yield* sql<{ readonly generation: number; readonly desired: any; readonly phase: string }>`
    SELECT generation, desired, phase FROM agents WHERE customer_id = ${customerId}`
  return row
})

layer(world, { excludeTestServices: true, timeout: 120_000 })("an agent that leaves", (it) => {
  it.effect("is asked for once, its subscription ended before anything else, and its job carries the deletion", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { accountId, subscriptionId } = yield* customer()
      yield* AgentRequests.ask(accountId, "delete", "customer", "asked for on the page")
      yield* AgentRequests.ask(accountId, "delete", "ops", "twice by mistake")
      while (yield* AgentRequests.carryOut);
      assert.strictEqual((yield* payments.subscription(subscriptionId)).status, "canceled")
      const agent = yield* desiredOf(accountId)
      assert.deepStrictEqual([agent?.generation, agent?.desired.deletion], [2, { confirmedGeneration: 2 }])
      yield* webhooksArrived
      yield* stripeEvents
      assert.deepEqual((yield* desiredOf(accountId))?.desired.deletion, { confirmedGeneration: 2 })
      yield* relayed
      const jobs = (yield* jobsPushed).filter(({ customerId }) => customerId === accountId)
      assert.deepStrictEqual(jobs.at(-1)?.generation, 2)
      const sql = yield* SqlClient
      const trail =
        yield* sql`SELECT actor, action FROM audit WHERE subject = ${accountId} AND action LIKE 'agent.d%' ORDER BY id`
      assert.deepEqual(trail, [
        { actor: "customer", action: "agent.delete.asked" },
        { actor: "ops", action: "agent.delete.asked" },
        { actor: "customer", action: "agent.deprovision" },
      ])
    }),
  )

  it.effect("stays as it is while Stripe can't be told", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* AgentRequests.ask(accountId, "delete", "customer", "x")
      const payments = yield* Payments
      const away = Effect.provideService(AgentRequests.carryOut, Payments, {
        ...payments,
        cancelSubscription: () => Effect.asVoid(payments.subscription("sub_none")),
      })
      assert.strictEqual((yield* Effect.flip(away))._tag, "PaymentsUnavailable")
      assert.strictEqual((yield* desiredOf(accountId))?.generation, 1)
      while (yield* AgentRequests.carryOut);
      assert.strictEqual((yield* desiredOf(accountId))?.generation, 2)
    }),
  )

  it.effect("is told of each phase; the mail's link works and stands in no row", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId } = yield* customer()
      yield* (yield* Agents).change(accountId, { _tag: "Deprovision" }, "test")
      const exported = data(accountId, 2)
      const events: ReadonlyArray<AgentEvent> = [
        { _tag: "deprovisioning", ...common(accountId, 2, 1) },
        { _tag: "exported", ...common(accountId, 2, 2), exported },
        { _tag: "deleted", ...common(accountId, 2, 3), exported },
      ]
      yield* reported(...events)
      yield* reported(...events)
      const told = yield* sql<{ readonly type: string }>`
        SELECT type FROM customer_events WHERE customer_id = ${accountId} ORDER BY seq`
      assert.deepStrictEqual(
        told.map(({ type }) => type),
        ["paid", "payment.received", "deprovisioning", "exported", "deleted"],
      )
      assert.strictEqual((yield* desiredOf(accountId))?.phase, "deleted")
      const [row] = yield* sql<{
        readonly payload: unknown
      }>`SELECT payload FROM work WHERE id = ${`mail:export:${accountId}:2`}`
      assert.notInclude(JSON.stringify(row), "http")
      const mails = (yield* mailsSent).filter(
        ({ to, subject }) => to === `${accountId}@example.com` && /data/.test(subject),
      )
      assert.lengthOf(mails, 1)
      const url = /Fetch it: (\S+)/.exec(mails[0]?.text ?? "")?.[1] ?? ""
      const link = (yield* ExportLinks).read(url.slice(url.lastIndexOf("/") + 1))
      assert.deepStrictEqual(
        link,
        Option.some({ customerId: accountId, generation: 2, expiresAt: november + 2 + 30 * 86_400_000 }),
      )
      assert.deepStrictEqual(
        Option.map(yield* (yield* Exports).find(accountId, 2), ({ key }) => key),
        Option.some(exported.key),
      )
    }),
  )

  it.effect("gets its data also when only the word of its deletion arrives", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* (yield* Agents).change(accountId, { _tag: "Deprovision" }, "test")
      yield* reported({ _tag: "deleted", ...common(accountId, 2, 9), exported: data(accountId, 2) })
      assert.isTrue(Option.isSome(yield* (yield* Exports).latest(accountId)))
      assert.lengthOf(
        (yield* mailsSent).filter(({ id }) => id === `mail:export:${accountId}:2`),
        1,
      )
    }),
  )

  it.effect("for want of payment is kept when its renewal is paid before its data is deleted; by nothing else", () =>
    Effect.gen(function* () {
      const agents = yield* Agents
      const { accountId, subscriptionId } = yield* customer()
      yield* agents.change(accountId, { _tag: "Suspend", reason: "payment" }, "test")
      yield* agents.change(accountId, { _tag: "Deprovision" }, "test")
      assert.isUndefined(yield* agents.change(accountId, { _tag: "Resume", reason: "customer" }, "test"))
      yield* (yield* StripeDouble).renew(subscriptionId)
      yield* webhooksArrived
      yield* stripeEvents
      const agent = yield* desiredOf(accountId)
      assert.deepStrictEqual([agent?.generation, agent?.desired.suspended, agent?.desired.deletion], [4, [], undefined])

      const other = yield* customer()
      yield* agents.change(other.accountId, { _tag: "Deprovision" }, "test")
      yield* (yield* StripeDouble).renew(other.subscriptionId)
      yield* webhooksArrived
      yield* stripeEvents
      assert.isDefined((yield* desiredOf(other.accountId))?.desired.deletion, "who wanted to leave leaves")
    }),
  )

  it.effect("that was wanted again too late is built anew: its job is pushed although the old one is deleted", () =>
    Effect.gen(function* () {
      const agents = yield* Agents
      const { accountId } = yield* customer()
      yield* agents.change(accountId, { _tag: "Suspend", reason: "payment" }, "test")
      yield* agents.change(accountId, { _tag: "Deprovision" }, "test")
      yield* agents.change(accountId, { _tag: "Resume", reason: "payment" }, "test")
      yield* reported({ _tag: "deleted", ...common(accountId, 3, 5) })
      yield* relayed
      const jobs = (yield* jobsPushed).filter(({ customerId }) => customerId === accountId)
      assert.deepStrictEqual(
        jobs.map(({ generation }) => generation),
        [4],
      )
    }),
  )

  it.effect("loses its export by a waiver alone, which only a leaving one can have", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const waive = AgentRequests.ask(accountId, "waive-export", "ops:eva", "the customer does not want it")
      const carry = Effect.gen(function* () {
        while (yield* AgentRequests.carryOut);
      })
      yield* Effect.andThen(waive, carry)
      assert.strictEqual((yield* desiredOf(accountId))?.generation, 1)
      yield* (yield* Agents).change(accountId, { _tag: "Deprovision" }, "test")
      yield* Effect.andThen(waive, carry)
      yield* Effect.andThen(waive, carry)
      const agent = yield* desiredOf(accountId)
      assert.deepStrictEqual(agent?.desired.deletion, { confirmedGeneration: 3, exportWaived: true })
    }),
  )

  it.effect("has its export removed from the store after 30 days, and not before", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* (yield* Agents).change(accountId, { _tag: "Deprovision" }, "test")
      yield* reported({ _tag: "exported", ...common(accountId, 2, 1), exported: data(accountId, 2) })
      const removed: Array<string> = []
      const store = yield* ExportStore
      const watched = Effect.provideService(removeExpired, ExportStore, {
        ...store,
        remove: (one) =>
          Effect.suspend(() => {
            removed.push(one.key)
            return store.remove(one)
          }),
      })
      yield* watched
      assert.notInclude(removed, data(accountId, 2).key)
      yield* TestClock.adjust("31 days")
      yield* watched
      yield* watched
      assert.deepStrictEqual(
        removed.filter((key) => key === data(accountId, 2).key),
        [data(accountId, 2).key],
      )
      assert.isTrue(Option.isNone(yield* (yield* Exports).latest(accountId)))
      yield* AgentReports.wakeSilent(1)
    }),
  )
})
