import { CustomerId, OrderId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import { decide as decideCheckout } from "../../src/billing/Checkout.ts"
import type { Order } from "../../src/billing/Orders.ts"
import { decide as decidePayment } from "../../src/billing/Payment.ts"
import { graceMillis, isProvisional, serviceUntil } from "../../src/billing/ServiceTerm.ts"
import { routeOf } from "../../src/billing/StripeEvents.ts"
import { decide as decideRelay } from "../../src/provision/Relay.ts"
import { checkoutState, subscriptionState } from "./Facts.ts"
import type { CheckoutState } from "../../src/billing/Payments.ts"

const order = (over: Partial<Order> = {}): Order => ({
  id: OrderId.make("ord_1"),
  accountId: CustomerId.make("ann"),
  conversationId: null,
  tier: "pro",
  facts: {},
  email: "ann@example.com",
  telegramUserId: "1",
  botUsername: "ann_bot",
  status: "open",
  checkoutId: null,
  checkoutUrl: null,
  checkoutAttempt: 0,
  subscriptionId: null,
  jobId: null,
  createdAt: 0,
  paidAt: null,
  ...over,
})

const checkout = checkoutState

const subscription = subscriptionState()

describe("what a checkout means for its order", () => {
  const tagOf = (one: Order | undefined, other: OrderId | undefined, state: CheckoutState, mayReturn = false) =>
    decidePayment(one, other, { checkout: state, subscription }, mayReturn)._tag

  it("lets who comes back pay for a paid order whose plan has ended, once for each subscription", () => {
    const ended = order({ status: "paid", subscriptionId: "sub_0" })
    assert.strictEqual(tagOf(ended, undefined, checkout(), true), "Return")
    assert.strictEqual(tagOf(ended, undefined, checkout(), false), "Excess")
    assert.strictEqual(tagOf({ ...ended, subscriptionId: "sub_1" }, undefined, checkout(), true), "Repeat")
  })

  it.each([
    ["pays an open order", order(), undefined, checkout(), "Pay"],
    [
      "honours a canceled order that was paid all the same",
      order({ status: "canceled" }),
      undefined,
      checkout(),
      "Pay",
    ],
    ["ignores a checkout that waits for its money", order(), undefined, checkout({ paid: false }), "Ignore"],
    ["ignores a checkout of nobody's order", undefined, undefined, checkout(), "Ignore"],
    ["ignores a checkout of another order", order(), undefined, checkout({ orderId: "ord_2" }), "Ignore"],
    [
      "knows its own payment again",
      order({ status: "paid", subscriptionId: "sub_1" }),
      undefined,
      checkout(),
      "Repeat",
    ],
    [
      "reports a second payment of a paid order",
      order({ status: "paid", subscriptionId: "sub_0" }),
      undefined,
      checkout(),
      "Excess",
    ],
    ["reports a payment beside another paid order", order(), OrderId.make("ord_0"), checkout(), "Excess"],
  ] as const)("%s", (_, one, other, state, expected) => {
    assert.strictEqual(tagOf(one, other, state), expected)
  })
})

describe("opening a checkout", () => {
  const open = checkout({ status: "open", paid: false, url: "https://pay" })
  it.each([
    ["makes the first", order(), undefined, { _tag: "Create", attempt: 1 }],
    ["shows the open one again", order({ checkoutAttempt: 1 }), open, { _tag: "Reuse", url: "https://pay" }],
    [
      "replaces an expired one by the next attempt",
      order({ checkoutAttempt: 1 }),
      checkout({ status: "expired" }),
      { _tag: "Create", attempt: 2 },
    ],
    [
      "never replaces one that waits for its money",
      order(),
      checkout({ paid: false }),
      { _tag: "Refuse", status: "paid" },
    ],
    ["refuses a canceled order", order({ status: "canceled" }), undefined, { _tag: "Refuse", status: "canceled" }],
  ] as const)("%s", (_, one, state, expected) => {
    assert.deepEqual(decideCheckout(one, state, false), expected)
  })

  it("opens another checkout for who comes back, and none while theirs is being booked", () => {
    const ended = order({ status: "paid", subscriptionId: "sub_1", checkoutAttempt: 1 })
    const again = { _tag: "Create", attempt: 2 } as const
    assert.deepEqual(decideCheckout(ended, checkout(), true), again)
    assert.deepEqual(decideCheckout(ended, checkout(), false), { _tag: "Refuse", status: "paid" })
    const other = checkout({ subscriptionId: "sub_2" })
    assert.deepEqual(decideCheckout(ended, other, true), { _tag: "Refuse", status: "paid" })
  })
})

describe("the end of service", () => {
  it("gives two weeks of grace to a renewal, none to a cancellation", () => {
    assert.strictEqual(serviceUntil({ paidUntil: 1_000, cancelAt: null }), 1_000 + graceMillis)
    assert.strictEqual(serviceUntil({ paidUntil: 1_000, cancelAt: 500 }), 500)
  })

  it("gives no more than that grace to who cancels for a day far off and stops paying", () => {
    const later = 1_000 + 300 * 86_400_000
    assert.strictEqual(serviceUntil({ paidUntil: 1_000, cancelAt: later }), 1_000 + graceMillis)
  })

  it("tells a period that is not paid for yet", () => {
    assert.isTrue(isProvisional(2_000, { paidUntil: 1_000, cancelAt: null }))
    assert.isFalse(isProvisional(1_000, { paidUntil: 1_000, cancelAt: null }))
  })
})

describe("the relay", () => {
  const row = { customerId: CustomerId.make("ann"), generation: 2, reason: "update" as const }
  it.each([
    ["pushes the newest generation", { generation: 2, desired: {}, phase: "active" }, "push"],
    ["leaves an older row to the newer one", { generation: 3, desired: {}, phase: "active" }, "superseded"],
    ["closes the row of a deleted agent", { generation: 2, desired: { deletion: {} }, phase: "deleted" }, "close"],
    ["pushes that of a deleted agent that is wanted again", { generation: 2, desired: {}, phase: "deleted" }, "push"],
    ["closes the row of no agent", undefined, "close"],
  ] as const)("%s", (_, agent, expected) => {
    assert.strictEqual(decideRelay(row, agent), expected)
  })
})

describe("Stripe's events", () => {
  it("that nobody handles are only stored", () => {
    assert.strictEqual(routeOf("charge.updated"), "none")
    assert.strictEqual(routeOf("invoice.paid"), "invoice")
  })
})
