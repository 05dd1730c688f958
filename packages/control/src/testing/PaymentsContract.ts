/**
 * What every Payments must keep, whoever answers: the embedded Stripe over HTTP, stripe-mock as far as it has a memory, or
 * Stripe's test mode. `pay` stands for the customer at the payment page.
 */
import { CustomerId, OrderId } from "@berth/domain/Ids"
import { assert, layer as suite } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { Payments } from "../billing/Payments.ts"

export const paymentsContract = <R, E>(
  name: string,
  layer: Layer.Layer<Payments | R, E>,
  pay: (checkoutId: string) => Effect.Effect<void, never, R>,
  /** Keeps the orders of separate runs apart, for an account that remembers. */
  run: string,
): void =>
  suite(layer, { timeout: "60 seconds", excludeTestServices: true })(`Payments: ${name}`, (it) => {
    const request = (order: string, attempt = 1) => ({
      orderId: OrderId.make(`ord_${run}_${order}`),
      accountId: CustomerId.make("ann"),
      tier: "pro" as const,
      email: "ann@example.com",
      attempt,
    })

    it.effect("a new checkout is open, unpaid and names its order", () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        const { id, url } = yield* payments.createCheckout(request("new"))
        assert.deepEqual(yield* payments.checkout(id), {
          id,
          url,
          status: "open",
          paid: false,
          orderId: request("new").orderId,
          stripeCustomerId: null,
          subscriptionId: null,
          purchaseId: null,
          paymentId: null,
        })
      }),
    )

    it.effect("the same attempt is the same checkout, the next attempt another", () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        const first = yield* payments.createCheckout(request("twice"))
        assert.deepEqual(yield* payments.createCheckout(request("twice")), first)
        assert.notStrictEqual((yield* payments.createCheckout(request("twice", 2))).id, first.id)
      }),
    )

    it.effect("the same attempt with another content is refused instead of mixed up", () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        yield* payments.createCheckout(request("mixed"))
        const error = yield* Effect.flip(payments.createCheckout({ ...request("mixed"), email: "bob@example.com" }))
        assert.strictEqual(error._tag, "PaymentsUnavailable")
      }),
    )

    it.effect("a paid checkout leads to an active subscription of one month that names its order", () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        const { id } = yield* payments.createCheckout(request("paid"))
        yield* pay(id)
        const checkout = yield* payments.checkout(id)
        assert.deepInclude(checkout, { status: "complete", paid: true, url: null })
        assert.isNotNull(checkout.stripeCustomerId)
        const subscription = yield* payments.subscription(checkout.subscriptionId ?? "")
        assert.deepInclude(subscription, {
          orderId: request("paid").orderId,
          status: "active",
          cancelAt: null,
          anchor: subscription.periodStart,
        })
        const days = (subscription.periodEnd - subscription.periodStart) / 86_400_000
        assert.isTrue(days >= 28 && days <= 31, `${days} days`)
      }),
    )

    it.effect("an expired checkout is closed; a paid one stays as it is", () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        const open = yield* payments.createCheckout(request("expired"))
        yield* payments.expireCheckout(open.id)
        assert.deepInclude(yield* payments.checkout(open.id), { status: "expired", paid: false, url: null })
        const paid = yield* payments.createCheckout(request("kept"))
        yield* pay(paid.id)
        yield* payments.expireCheckout(paid.id)
        assert.deepInclude(yield* payments.checkout(paid.id), { status: "complete", paid: true })
      }),
    )

    it.effect("what does not exist is a typed failure", () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        assert.strictEqual((yield* Effect.flip(payments.checkout("cs_none")))._tag, "PaymentsUnavailable")
        assert.strictEqual((yield* Effect.flip(payments.subscription("sub_none")))._tag, "PaymentsUnavailable")
        assert.strictEqual((yield* Effect.flip(payments.invoice("in_none")))._tag, "PaymentsUnavailable")
      }),
    )

    it.effect("an unsigned body is refused", () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        const body = new TextEncoder().encode('{"id":"evt_1","object":"event"}')
        assert.strictEqual((yield* Effect.flip(payments.verify(body, "t=1,v1=0")))._tag, "WebhookRefused")
      }),
    )
  })
