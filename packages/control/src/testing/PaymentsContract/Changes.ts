/** Plan changes and the end of a subscription: what is charged, what stays, and that a preview says it before. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Payments } from "../../billing/Payments.ts"
import { cents, day, hour, invoicesOf, newest, type Scene, subscribed, subscriptionNow, timed } from "./Scene.ts"
import type { Register } from "./Register.ts"

export const changes = <R>(it: Register<R>, scene: Scene<R>): void => {
  const { stage } = scene

  it("an upgrade late in the period charges the whole difference at once, exactly as previewed, and keeps the period", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { began, change, stripeCustomerId, subscriptionId } = yield* timed(scene, "upgrade")
      yield* stage.advance(stripeCustomerId, began.periodStart + 20 * day)
      const preview = yield* payments.previewPrice(subscriptionId, "team")
      assert.strictEqual(preview, cents("team") - cents("pro"))
      assert.lengthOf(yield* invoicesOf(subscriptionId), 1, "a preview charges nothing")
      yield* change("team", "charge")
      const invoices = yield* invoicesOf(subscriptionId)
      assert.lengthOf(invoices, 2)
      const upgrade = yield* newest(invoices, "update")
      assert.deepInclude(upgrade, { status: "paid", tier: "team", amountDue: preview, amountPaid: preview })
      assert.strictEqual(upgrade.periodEnd, began.periodEnd)
      const paid = yield* payments.payment(upgrade.paymentId ?? "")
      assert.deepInclude(paid, { amount: preview, refunded: 0, disputed: 0, stripeCustomerId })
      const { tier, periodStart, periodEnd } = yield* subscriptionNow(subscriptionId)
      assert.deepEqual([tier, periodStart, periodEnd], ["team", began.periodStart, began.periodEnd])
    }))

  it("the same change twice is charged once", () =>
    Effect.gen(function* () {
      const { change, subscriptionId } = yield* subscribed(scene, "changed-twice", "starter")
      yield* change("pro", "charge")
      yield* change("pro", "charge")
      assert.lengthOf(yield* invoicesOf(subscriptionId), 2)
    }))

  it("two upgrades in one period charge the difference twice", () =>
    Effect.gen(function* () {
      const { change, subscriptionId } = yield* subscribed(scene, "two-upgrades", "starter")
      yield* change("pro", "charge", 1)
      yield* change("team", "charge", 2)
      const paid = (yield* invoicesOf(subscriptionId)).map(({ amountPaid }) => amountPaid)
      assert.deepEqual(paid, [cents("team") - cents("pro"), cents("pro") - cents("starter"), cents("starter")])
    }))

  it("an upgrade that the card declines changes nothing until it is paid, and its invoice can be voided", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { change, stripeCustomerId, subscriptionId } = yield* subscribed(scene, "declined-upgrade")
      yield* stage.card(stripeCustomerId, "declined")
      yield* Effect.exit(change("team", "charge"))
      const pending = yield* newest(yield* invoicesOf(subscriptionId), "update")
      assert.deepInclude(pending, { status: "open", amountPaid: 0, amountDue: cents("team") - cents("pro") })
      assert.deepInclude(yield* subscriptionNow(subscriptionId), { tier: "pro", status: "active" })
      yield* payments.voidInvoice(pending.id)
      assert.deepInclude(yield* payments.invoice(pending.id), { status: "void" })
      assert.deepInclude(yield* subscriptionNow(subscriptionId), { tier: "pro", status: "active" })
    }))

  it("a downgrade charges and gives back nothing; renewals charge the new price", () =>
    Effect.gen(function* () {
      const { began, change, stripeCustomerId, subscriptionId } = yield* timed(scene, "downgrade")
      yield* change("starter", "renewal")
      assert.lengthOf(yield* invoicesOf(subscriptionId), 1)
      const { tier, periodEnd } = yield* subscriptionNow(subscriptionId)
      assert.deepEqual([tier, periodEnd], ["starter", began.periodEnd])
      yield* stage.advance(stripeCustomerId, began.periodEnd + 2 * hour)
      const renewal = yield* newest(yield* invoicesOf(subscriptionId), "cycle")
      assert.deepInclude(renewal, { status: "paid", tier: "starter", amountPaid: cents("starter") })
    }))

  it("an upgrade after a downgrade charges only what the period is not paid for yet", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { change, subscriptionId } = yield* subscribed(scene, "there-and-back")
      yield* change("starter", "renewal", 1)
      assert.strictEqual(yield* payments.previewPrice(subscriptionId, "team"), cents("team") - cents("pro"))
      yield* change("team", "charge", 2)
      const upgrade = yield* newest(yield* invoicesOf(subscriptionId), "update")
      assert.deepInclude(upgrade, { status: "paid", amountPaid: cents("team") - cents("pro") })
    }))

  it("a cancellation at the period's end may be taken back, else it ends then without another invoice", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { began, stripeCustomerId, subscriptionId } = yield* timed(scene, "leaving")
      yield* payments.cancelAtPeriodEnd(subscriptionId, true)
      yield* payments.cancelAtPeriodEnd(subscriptionId, true)
      const leaving = { status: "active", ended: false, cancelAt: began.periodEnd }
      assert.deepInclude(yield* subscriptionNow(subscriptionId), leaving)
      yield* payments.cancelAtPeriodEnd(subscriptionId, false)
      assert.deepInclude(yield* subscriptionNow(subscriptionId), { status: "active", ended: false, cancelAt: null })
      yield* payments.cancelAtPeriodEnd(subscriptionId, true)
      yield* stage.advance(stripeCustomerId, began.periodEnd + 2 * hour)
      const over = { status: "canceled", ended: true, cancelAt: began.periodEnd }
      assert.deepInclude(yield* subscriptionNow(subscriptionId), over)
      assert.lengthOf(yield* invoicesOf(subscriptionId), 1)
    }))

  it("canceled now, it ends at once without another invoice, stays so however often it is asked, and is known after", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { subscriptionId } = yield* subscribed(scene, "gone")
      yield* payments.cancelSubscription(subscriptionId)
      const ended = yield* subscriptionNow(subscriptionId)
      assert.deepInclude(ended, { status: "canceled", ended: true })
      yield* payments.cancelSubscription(subscriptionId)
      yield* payments.cancelAtPeriodEnd(subscriptionId, true)
      yield* payments.cancelAtPeriodEnd(subscriptionId, false)
      assert.deepEqual(yield* subscriptionNow(subscriptionId), ended)
      assert.lengthOf(yield* invoicesOf(subscriptionId), 1)
    }))

  it("of a subscription that nobody knows there is nothing to cancel", () =>
    Payments.use((payments) => payments.cancelSubscription("sub_none")))
}
