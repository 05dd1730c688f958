/**
 * What every Payments must keep, whoever answers: the embedded Stripe as a Layer or over HTTP, or Stripe's test mode.
 * `paymentsContract` is about checkouts, `pay` stands for the customer at the payment page; `lifeContract` is about all that
 * comes after, on a stage on which customers, banks and time act. (stripe-mock has no memory: what is sent to it is tried in
 * test/live.)
 */
import { CustomerId, OrderId } from "@berth/domain/Ids"
import { assert, layer as suite } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { Payments } from "../billing/Payments.ts"
import { changes } from "./PaymentsContract/Changes.ts"
import { money } from "./PaymentsContract/Money.ts"
import { packCheckouts } from "./PaymentsContract/Packs.ts"
import type { Register } from "./PaymentsContract/Register.ts"
import { renewals } from "./PaymentsContract/Renewals.ts"
import type { Stage } from "./PaymentsContract/Stage.ts"

export const paymentsContract = <R, E>(
  name: string,
  layer: Layer.Layer<Payments | R, E>,
  /** Undefined where the page can't be paid by a program; those cases are skipped. */
  pay: ((checkoutId: string) => Effect.Effect<void, never, R>) | undefined,
  /** Keeps the orders of separate runs apart, for an account that remembers. */
  run: string,
): void =>
  suite(layer, { timeout: "60 seconds", excludeTestServices: true })(`Payments: ${name}`, (it) => {
    const paying = pay === undefined ? it.effect.skip : it.effect
    const paid = pay ?? (() => Effect.void)
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

    paying("a paid checkout leads to an active subscription of one month that names its order", () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        const { id } = yield* payments.createCheckout(request("paid"))
        yield* paid(id)
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

    it.effect("an expired checkout is closed, however often it is asked", () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        const open = yield* payments.createCheckout(request("expired"))
        yield* payments.expireCheckout(open.id)
        yield* payments.expireCheckout(open.id)
        assert.deepInclude(yield* payments.checkout(open.id), { status: "expired", paid: false, url: null })
      }),
    )

    paying("a paid checkout stays as it is when it is to be closed", () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        const kept = yield* payments.createCheckout(request("kept"))
        yield* paid(kept.id)
        yield* payments.expireCheckout(kept.id)
        assert.deepInclude(yield* payments.checkout(kept.id), { status: "complete", paid: true })
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

/** What a subscription costs and does over its life, plan changes, packs, money that goes back, and the lists of it all. */
export const lifeContract = <R, E>(
  name: string,
  layer: Layer.Layer<Payments | R, E>,
  stage: Stage<R>,
  /** Keeps what separate runs make apart, for an account that remembers. */
  run: string,
): void =>
  suite(layer, { timeout: "60 seconds", excludeTestServices: true })(`Payments over time: ${name}`, (it) => {
    const register: Register<R> = (title, body, skipped = false) =>
      skipped ? it.effect.skip(title, body, 240_000) : it.effect(title, body, 240_000)
    for (const group of [renewals, changes, packCheckouts, money]) group(register, { stage, run })
  })
