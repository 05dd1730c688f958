/** What is paid for each period: the first invoice, renewals from draft to paid, and those that the card declines. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Payments } from "../../billing/Payments.ts"
import type { Register } from "./Register.ts"
import {
  cents,
  day,
  hour,
  invoicesOf,
  minute,
  newest,
  orderOf,
  type Scene,
  subscribed,
  subscriptionNow,
  timed,
} from "./Scene.ts"

export const renewals = <R>(it: Register<R>, scene: Scene<R>): void => {
  const { run, stage } = scene

  it("the first period is paid by an invoice of its own, whose payment is found", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { began, stripeCustomerId, subscriptionId } = yield* subscribed(scene, "first")
      assert.deepInclude(began, { status: "active", ended: false, cancelAt: null, tier: "pro", stripeCustomerId })
      assert.strictEqual(began.orderId, orderOf(run, "first").orderId)
      assert.strictEqual(began.anchor, began.periodStart)
      const days = (began.periodEnd - began.periodStart) / day
      assert.isTrue(days >= 28 && days <= 31, `${days} days`)
      const [invoice, ...others] = yield* invoicesOf(subscriptionId)
      assert.isEmpty(others)
      assert.isDefined(invoice)
      const { id: _, paymentId, createdAt, attempts, nextAttemptAt, pageUrl, ...rest } = invoice
      assert.deepEqual(rest, {
        stripeCustomerId,
        subscriptionId,
        reason: "create",
        status: "paid",
        tier: "pro",
        periodStart: began.periodStart,
        periodEnd: began.periodEnd,
        amountDue: cents("pro"),
        amountPaid: cents("pro"),
      })
      assert.isNull(nextAttemptAt)
      assert.isAtMost(attempts, 1)
      assert.isAtMost(Math.abs(createdAt - began.periodStart), minute)
      assert.isNotNull(pageUrl)
      assert.deepEqual(yield* payments.invoice(invoice.id), invoice)
      assert.deepEqual<unknown>(yield* payments.payment(paymentId ?? ""), {
        id: paymentId,
        stripeCustomerId,
        amount: cents("pro"),
        refunded: 0,
        disputed: 0,
      })
    }))

  it("a renewal is a draft for about an hour, then paid, for the period that begins where the last one ended", () =>
    Effect.gen(function* () {
      const { began, stripeCustomerId, subscriptionId } = yield* timed(scene, "renewed")
      yield* stage.advance(stripeCustomerId, began.periodEnd + 10 * minute)
      const draft = yield* newest(yield* invoicesOf(subscriptionId), "cycle")
      assert.deepInclude(draft, { status: "draft", amountPaid: 0, periodStart: began.periodEnd, tier: "pro" })
      yield* stage.advance(stripeCustomerId, began.periodEnd + 2 * hour)
      const [paid] = yield* invoicesOf(subscriptionId)
      assert.deepInclude(paid, { id: draft.id, status: "paid", amountPaid: cents("pro"), periodStart: began.periodEnd })
      const { anchor, periodStart, periodEnd, status } = yield* subscriptionNow(subscriptionId)
      assert.deepEqual([anchor, periodStart, status], [began.anchor, began.periodEnd, "active"])
      assert.strictEqual(paid?.periodEnd, periodEnd)
    }))

  it("a renewal that the card declines stays open and is tried again; once paid by a good card it is paid", () =>
    Effect.gen(function* () {
      const { began, stripeCustomerId, subscriptionId } = yield* timed(scene, "declined")
      yield* stage.card(stripeCustomerId, "declined")
      yield* stage.advance(stripeCustomerId, began.periodEnd + 2 * hour)
      const failed = yield* newest(yield* invoicesOf(subscriptionId), "cycle")
      assert.deepInclude(failed, { status: "open", amountPaid: 0, amountDue: cents("pro"), attempts: 1 })
      assert.isAbove(failed.nextAttemptAt ?? 0, began.periodEnd)
      assert.isNotNull(failed.pageUrl)
      assert.deepInclude(yield* subscriptionNow(subscriptionId), { status: "past_due", ended: false })
      yield* stage.card(stripeCustomerId, "good")
      yield* stage.advance(stripeCustomerId, (failed.nextAttemptAt ?? 0) + 2 * hour)
      const paid = yield* newest(yield* invoicesOf(subscriptionId), "cycle")
      assert.deepInclude(paid, { id: failed.id, status: "paid", amountPaid: cents("pro") })
      assert.deepInclude(yield* subscriptionNow(subscriptionId), { status: "active" })
    }))

  it("no more money is asked for an invoice that is voided, draft or open; a paid one stays as it is", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { began, stripeCustomerId, subscriptionId } = yield* timed(scene, "voided")
      const first = yield* newest(yield* invoicesOf(subscriptionId), "create")
      yield* payments.voidInvoice(first.id)
      assert.deepEqual(yield* payments.invoice(first.id), first)
      yield* stage.advance(stripeCustomerId, began.periodEnd + 10 * minute)
      const draft = yield* newest(yield* invoicesOf(subscriptionId), "cycle")
      yield* payments.voidInvoice(draft.id)
      yield* payments.voidInvoice(draft.id)
      yield* stage.advance(stripeCustomerId, began.periodEnd + 3 * hour)
      assert.deepInclude(yield* payments.invoice(draft.id), { status: "void", amountPaid: 0 })
      yield* stage.card(stripeCustomerId, "declined")
      const second = yield* subscriptionNow(subscriptionId)
      yield* stage.advance(stripeCustomerId, second.periodEnd + 2 * hour)
      const [open] = yield* invoicesOf(subscriptionId)
      assert.deepInclude(open, { status: "open" })
      yield* payments.voidInvoice(open?.id ?? "")
      assert.deepInclude(yield* payments.invoice(open?.id ?? ""), { status: "void", amountPaid: 0 })
    }))
}
