import { type CustomerId, OrderId } from "@berth/domain/Ids"
import { type Taken, Work } from "@berth/domain/Work"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import { Checkout } from "../../src/billing/Checkout.ts"
import { Orders } from "../../src/billing/Orders.ts"
import { Purchase } from "../../src/billing/Purchase.ts"
import { handle } from "../../src/billing/StripeEvents.ts"
import { StripeDouble } from "../../src/embedded/StripeDouble.ts"
import { checkedOut, customer, november, ordered, stateOf, stripeEvents, webhooksArrived, world } from "./World.ts"

layer(world, { timeout: "60 seconds", excludeTestServices: true })("a purchase", (it) => {
  it.effect("payment makes agent, job, allowance, grant, secrets and event, once", () =>
    Effect.gen(function* () {
      const { accountId, orderId, jobId } = yield* customer()
      const state = yield* stateOf(accountId)
      assert.strictEqual(jobId, `job:${orderId}:1`)
      assert.deepStrictEqual(state.jobs, [{ id: jobId }])
      assert.deepStrictEqual(
        state.ledger.map(({ kind, tokens, source_id }: any) => ({ kind, tokens, source_id })),
        [{ kind: "grant", tokens: 5_000_000, source_id: `period:${accountId}:0` }],
      )
      assert.deepInclude(state.periods[0], { number: 0, starts_at: november, provisional: false })
      assert.deepInclude(state.periods[0], { ends_at: Date.UTC(2026, 11, 24, 12) })
      assert.deepInclude(state.allowances[0], { rev: 1, plan: 5_000_000, next_plan: 5_000_000, packs: 0 })
      assert.deepInclude(state.allowances[0], { service_until: Date.UTC(2026, 11, 24 + 14, 12) })
      assert.deepInclude(state.agents[0], { generation: 1, phase: "pending" })
      assert.lengthOf(state.tokens, 1)
      assert.deepStrictEqual(
        state.secrets.map(({ purpose }: any) => purpose),
        ["botToken", "gatewayToken", "proxyToken"],
      )
      assert.deepStrictEqual(
        state.events.map(({ type }: any) => type),
        ["paid", "payment.received"],
      )
    }),
  )

  it.effect("webhooks delivered again, and twice, change nothing", () =>
    Effect.gen(function* () {
      const double = yield* StripeDouble
      yield* double.sendTwice(true)
      const { accountId, orderId } = yield* customer()
      yield* double.sendTwice(false)
      const before = yield* stateOf(accountId)
      const sql = yield* SqlClient
      const work = yield* Work
      // As if every event were handled anew.
      yield* Effect.forEach(yield* sql<{ id: string }>`SELECT id FROM work WHERE queue = 'stripe'`, ({ id }) =>
        work.reopen(id),
      )
      yield* stripeEvents
      assert.strictEqual((yield* stateOf(accountId)).digest, before.digest)
      assert.strictEqual(yield* (yield* Purchase).provision(orderId), `job:${orderId}:1`)
      assert.strictEqual((yield* stateOf(accountId)).digest, before.digest)
    }),
  )

  it.effect("the webhook and POST /provision racing make one agent and the same job", () =>
    Effect.gen(function* () {
      const purchase = yield* Purchase
      for (let round = 0; round < 5; round++) {
        const { accountId, orderId, checkoutId } = yield* checkedOut()
        yield* (yield* StripeDouble).pay(checkoutId)
        yield* webhooksArrived
        const jobs = yield* Effect.all(
          [
            stripeEvents,
            purchase.provision(orderId),
            purchase.provision(orderId),
            stripeEvents,
            purchase.provision(orderId),
          ],
          { concurrency: "unbounded" },
        )
        assert.deepStrictEqual(new Set([jobs[1], jobs[2], jobs[4]]), new Set([`job:${orderId}:1`]))
        const state = yield* stateOf(accountId)
        assert.lengthOf(state.agents, 1)
        assert.lengthOf(state.jobs, 1)
        assert.lengthOf(state.ledger, 1)
        assert.lengthOf(state.tokens, 1)
        assert.lengthOf(state.events, 2)
      }
    }),
  )

  it.effect("a lost webhook loses nothing: provision asks Stripe", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId, orderId, checkoutId } = yield* checkedOut()
      yield* (yield* StripeDouble).pay(checkoutId)
      yield* webhooksArrived
      yield* sql`DELETE FROM work WHERE queue = 'stripe' AND done_at IS NULL`
      assert.strictEqual(yield* (yield* Purchase).provision(orderId), `job:${orderId}:1`)
      assert.lengthOf((yield* stateOf(accountId)).agents, 1)
    }),
  )

  it.effect("an unpaid order, with a checkout or without one, makes nothing", () =>
    Effect.gen(function* () {
      const purchase = yield* Purchase
      const bare = yield* ordered()
      const open = yield* checkedOut()
      for (const { accountId, orderId } of [bare, open]) {
        const before = yield* stateOf(accountId)
        const error = yield* Effect.flip(purchase.provision(orderId))
        assert.strictEqual(error._tag, "OrderUnpaid")
        assert.strictEqual((yield* stateOf(accountId)).digest, before.digest)
      }
      assert.strictEqual((yield* Effect.flip(purchase.provision("ord_none")))._tag, "OrderUnknown")
    }),
  )

  it.effect("a payment stands while the bot token is missing, and the agent starts once it is there", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId, orderId, checkoutId } = yield* checkedOut({ botToken: false })
      yield* (yield* StripeDouble).pay(checkoutId)
      yield* webhooksArrived
      yield* stripeEvents
      const [order] = yield* sql`SELECT status, job_id FROM orders WHERE id = ${orderId}`
      assert.deepEqual(order, { status: "paid", job_id: null })
      assert.strictEqual((yield* Effect.flip((yield* Purchase).provision(orderId)))._tag, "SecretMissing")
      assert.lengthOf((yield* stateOf(accountId)).agents, 0)
      // The invoice's event may have come after the checkout's, and then waits behind it.
      const waiting = yield* sql`
        SELECT id FROM work WHERE payload ->> 'objectId' = ${checkoutId} AND done_at IS NULL AND dead_reason IS NULL`
      assert.lengthOf(waiting, 1, "the webhook's row waits")
      yield* sql`INSERT INTO agent_secrets (customer_id, purpose, version, envelope, created_at)
                 VALUES (${accountId}, 'botToken', 1, 'sealed', 0)`
      yield* TestClock.adjust("1 hour")
      yield* stripeEvents
      assert.lengthOf((yield* stateOf(accountId)).agents, 1)
    }),
  )

  it.effect("a crash between any two steps ends, after a restart, with one agent", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      let cut = 0
      for (let step = 0; step < 20; step++) {
        const { accountId, orderId, checkoutId } = yield* checkedOut()
        yield* (yield* StripeDouble).pay(checkoutId)
        yield* webhooksArrived
        const [row] = yield* sql<Taken>`
          SELECT id, lane, payload, attempts FROM work WHERE payload ->> 'objectId' = ${checkoutId}`
        // The worker dies after so many milliseconds, wherever it is then.
        const fiber = yield* Effect.forkChild(handle(row!))
        for (let turn = 0; turn < step * 2; turn++)
          yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 1)))
        yield* Fiber.interrupt(fiber)
        const agents = yield* sql`SELECT 1 FROM agents WHERE customer_id = ${accountId}`
        const paid = yield* sql`SELECT 1 FROM orders WHERE id = ${orderId} AND status = 'paid'`
        const done = yield* sql`SELECT 1 FROM work WHERE id = ${row!.id} AND done_at IS NOT NULL`
        cut += 1 - agents.length
        assert.strictEqual(agents.length, paid.length, "payment and agent are one commit")
        assert.strictEqual(agents.length, done.length, "and the event's mark with them")
        yield* TestClock.adjust("1 hour")
        yield* stripeEvents
        const state = yield* stateOf(accountId)
        assert.lengthOf(state.agents, 1)
        assert.lengthOf(state.jobs, 1)
        assert.lengthOf(state.ledger, 1)
      }
      assert.isAbove(cut, 0, "some of the crashes came before the commit")
    }),
  )

  it.effect("two callers and a repeat get one checkout; an expired one is replaced by the next attempt", () =>
    Effect.gen(function* () {
      const checkout = yield* Checkout
      const { accountId, orderId } = yield* ordered()
      const opened = yield* Effect.all(
        Array.from({ length: 6 }, () => checkout.open(accountId, orderId)),
        { concurrency: "unbounded" },
      )
      const again = yield* checkout.open(accountId, orderId)
      assert.lengthOf(new Set([...opened, again].map(({ url }) => url)), 1)
      const sessions = Object.values((yield* (yield* StripeDouble).world).sessions)
      assert.lengthOf(
        sessions.filter((session) => session.orderId === orderId),
        1,
      )
      yield* TestClock.adjust("25 hours")
      const later = yield* checkout.open(accountId, orderId)
      assert.notStrictEqual(later.url, again.url)
    }),
  )

  it.effect("nobody opens another account's order, and a paid one opens no checkout", () =>
    Effect.gen(function* () {
      const checkout = yield* Checkout
      const stranger = yield* ordered()
      const { accountId, orderId } = yield* customer()
      assert.strictEqual((yield* Effect.flip(checkout.open(stranger.accountId, orderId)))._tag, "NotFound")
      assert.deepInclude(yield* Effect.flip(checkout.open(accountId, orderId)), { _tag: "NotPayable", status: "paid" })
    }),
  )

  it.effect("an order that a newer one replaced: its checkout is closed at Stripe once the newer one's opens", () =>
    Effect.gen(function* () {
      const double = yield* StripeDouble
      const { accountId, checkoutId } = yield* checkedOut()
      const newer = yield* orderAgain(accountId)
      yield* (yield* Checkout).open(accountId, newer)
      const old = yield* double.pay(checkoutId)
      assert.strictEqual(Option.getOrThrow(old).status, "expired", "it can't be paid any more")
    }),
  )

  it.effect("two orders of one account paid at once: one agent, and the second payment is refunded", () =>
    Effect.gen(function* () {
      const double = yield* StripeDouble
      const sql = yield* SqlClient
      const { accountId, orderId, checkoutId } = yield* checkedOut()
      yield* double.pay(checkoutId)
      const newer = yield* orderAgain(accountId)
      const { url } = yield* (yield* Checkout).open(accountId, newer)
      yield* double.pay(url.slice(url.lastIndexOf("/") + 1))
      yield* webhooksArrived
      yield* stripeEvents
      const state = yield* stateOf(accountId)
      assert.lengthOf(state.agents, 1)
      assert.lengthOf(state.ledger, 1)
      assert.deepStrictEqual(state.orders.map(({ status }: any) => status).sort(), ["canceled", "paid"])
      const work = yield* Work
      for (const { id } of yield* sql<{ readonly id: string }>`SELECT id FROM work WHERE queue = 'stripe'`)
        yield* work.reopen(id)
      yield* stripeEvents
      assert.lengthOf(yield* sql`SELECT 1 FROM audit WHERE action = 'payment.excess' AND subject = ${accountId}`, 1)
      assert.deepStrictEqual(Object.values((yield* double.world).refunds ?? {}), [refundOf(state.orders)])
      assert.strictEqual(yield* (yield* Purchase).provision(orderOf(state.orders)), (state.jobs[0] as any).id)
      assert.include([orderId, newer], orderOf(state.orders))
    }),
  )
})

/** What the other order's plan costs, in cents. */
const refundOf = (orders: ReadonlyArray<any>): number =>
  orders.find(({ status }) => status === "canceled").tier === "starter" ? 1_900 : 4_900

const orderOf = (orders: ReadonlyArray<any>): OrderId => orders.find(({ status }) => status === "paid").id

const orderAgain = Effect.fn("orderAgain")(function* (accountId: CustomerId) {
  const id = OrderId.make(`ord_${accountId}_2`)
  const fields = { conversationId: null, facts: {}, email: "a@example.com", telegramUserId: "1", botUsername: "a_bot" }
  yield* (yield* Orders).place({ id, accountId, tier: "starter", ...fields })
  return id
})
