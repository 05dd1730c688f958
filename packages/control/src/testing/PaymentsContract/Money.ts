/** Money that goes back, the customer's page, and the lists by which nothing is overlooked. */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Payments } from "../../billing/Payments.ts"
import type { Register } from "./Register.ts"
import { cents, hour, invoicesOf, newest, type Scene, subscribed } from "./Scene.ts"

/** Lists may lag behind. */
const eventually = <A, E, R>(look: Effect.Effect<A | undefined, E, R>, what: string) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 60; tries++) {
      const found = yield* look
      if (found !== undefined) return found
      yield* Effect.sleep("500 millis")
    }
    return assert.fail(what)
  })

/** All pages of a list, and how many they were. */
const pagesOf = Effect.fnUntraced(function* <A, E, R>(
  page: (
    cursor: string | undefined,
  ) => Effect.Effect<{ readonly items: ReadonlyArray<A>; readonly next: string | undefined }, E, R>,
) {
  const items: Array<A> = []
  let pages = 0
  let cursor: string | undefined
  do {
    const one = yield* page(cursor)
    items.push(...one.items)
    cursor = one.next
    pages++
    assert.isAtMost(one.items.length, 100)
  } while (cursor !== undefined)
  return { items, pages }
})

const allSubscriptions = Effect.flatMap(Payments, (payments) =>
  pagesOf((cursor) =>
    Effect.map(payments.subscriptions(cursor), ({ subscriptions, next }) => ({ items: subscriptions, next })),
  ),
)

const allEvents = (types: ReadonlyArray<string>, since: number) =>
  Effect.flatMap(Payments, (payments) =>
    pagesOf((cursor) =>
      Effect.map(payments.events(types, since, cursor), ({ events, next }) => ({ items: events, next })),
    ),
  )

export const money = <R>(it: Register<R>, scene: Scene<R>): void => {
  const { run, stage } = scene

  const paid = Effect.fn("paid")(function* (name: string) {
    const one = yield* subscribed(scene, name)
    const invoice = yield* newest(yield* invoicesOf(one.subscriptionId), "create")
    return { ...one, invoice, paymentId: invoice.paymentId ?? "" }
  })

  it("a refund gives back that much, once per key, never more than was paid; the invoice stays paid", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { invoice, paymentId } = yield* paid("refunded")
      const refund = (amount: number, nth: number) => payments.refund(paymentId, amount, `${run}:refund:${nth}`)
      yield* refund(500, 1)
      yield* refund(500, 1)
      assert.deepInclude(yield* payments.payment(paymentId), { amount: cents("pro"), refunded: 500, disputed: 0 })
      yield* refund(300, 2)
      assert.deepInclude(yield* payments.payment(paymentId), { refunded: 800 })
      assert.strictEqual((yield* Effect.flip(refund(cents("pro"), 3)))._tag, "PaymentsUnavailable")
      assert.strictEqual((yield* Effect.flip(refund(400, 1)))._tag, "PaymentsUnavailable", "another refund by one key")
      yield* refund(cents("pro") - 800, 4)
      assert.deepInclude(yield* payments.payment(paymentId), { refunded: cents("pro") })
      assert.deepInclude(yield* payments.invoice(invoice.id), { status: "paid", amountPaid: cents("pro") })
    }))

  const { dispute } = stage
  it(
    "a dispute takes all of the payment back while it is open",
    () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        const { paymentId } = yield* paid("disputed")
        if (dispute !== undefined) yield* dispute(paymentId)
        const state = yield* payments.payment(paymentId)
        assert.deepInclude(state, { amount: cents("pro"), refunded: 0, disputed: cents("pro") })
      }),
    dispute === undefined,
  )

  it("the customer's page has an address; of an unknown customer there is none", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { stripeCustomerId } = yield* subscribed(scene, "portal")
      assert.match((yield* payments.portal(stripeCustomerId)).url, /^https?:\/\//)
      assert.strictEqual((yield* Effect.flip(payments.portal("cus_none")))._tag, "PaymentsUnavailable")
    }))

  it("the list of subscriptions holds those that run and those that have ended, each once", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const running = yield* subscribed(scene, "listed")
      const ended = yield* subscribed(scene, "listed-ended")
      yield* payments.cancelSubscription(ended.subscriptionId)
      const { items } = yield* allSubscriptions
      for (const { subscriptionId } of [running, ended]) {
        const found = items.filter(({ id }) => id === subscriptionId)
        assert.deepEqual(found, [yield* payments.subscription(subscriptionId)])
      }
    }))

  it("what happened to a customer stands in the list of events, by type and since a time", () =>
    Effect.gen(function* () {
      const since = (yield* Clock.currentTimeMillis) - hour
      const { invoice, stripeCustomerId, subscriptionId } = yield* paid("events")
      const find = Effect.map(allEvents(["invoice.paid", "invoice.created"], since), ({ items }) =>
        items.find(({ objectId, type }) => objectId === invoice.id && type === "invoice.paid"),
      )
      const event = yield* eventually(find, `no event of ${subscriptionId}`)
      assert.deepInclude(event, { stripeCustomerId, paymentId: null })
      assert.isAtLeast(event.createdAt, since)
      const others = yield* allEvents(["refund.updated"], since)
      assert.isTrue(others.items.every(({ type }) => type === "refund.updated"))
      const later = yield* allEvents(["invoice.paid"], (yield* Clock.currentTimeMillis) + 400 * 24 * hour)
      assert.isEmpty(later.items)
    }))

  it(
    "more than a page of subscriptions and of events comes in pages, newest first, nothing twice and nothing left out",
    () =>
      Effect.gen(function* () {
        const since = (yield* Clock.currentTimeMillis) - hour
        const names = Array.from({ length: 101 }, (_, number) => `crowd-${number}`)
        const crowd = yield* Effect.forEach(names, (name) => subscribed(scene, name, "starter"), { concurrency: 4 })
        const subscriptions = yield* allSubscriptions
        assert.isAbove(subscriptions.pages, 1)
        const ids = subscriptions.items.map(({ id }) => id)
        assert.strictEqual(new Set(ids).size, ids.length)
        assert.includeMembers(
          ids,
          crowd.map(({ subscriptionId }) => subscriptionId),
        )
        const events = yield* allEvents(["invoice.paid"], since)
        assert.isAbove(events.pages, 1)
        const eventIds = events.items.map(({ id }) => id)
        assert.strictEqual(new Set(eventIds).size, eventIds.length)
        const times = events.items.map(({ createdAt }) => createdAt)
        assert.deepEqual(
          times,
          times.toSorted((one, other) => other - one),
        )
        const customers = events.items.map(({ stripeCustomerId }) => stripeCustomerId)
        assert.includeMembers(
          customers,
          crowd.map(({ stripeCustomerId }) => stripeCustomerId),
        )
      }),
    stage.isQuick !== true,
  )
}
