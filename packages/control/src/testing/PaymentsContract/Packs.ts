/** What is bought once, beside a subscription. */
import { packs } from "@berth/domain/Packs"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Payments } from "../../billing/Payments.ts"
import type { Register } from "./Register.ts"
import { orderOf, type Scene, subscribed } from "./Scene.ts"

export const packCheckouts = <R>(it: Register<R>, scene: Scene<R>): void => {
  const { run, stage } = scene
  const { pay } = stage

  const opened = Effect.fn("opened")(function* (name: string) {
    const payments = yield* Payments
    const { stripeCustomerId } = yield* subscribed(scene, name, "starter")
    const { accountId } = orderOf(run, name)
    const request = { purchaseId: `pur_${run}_${name}`, accountId, pack: "1m", stripeCustomerId } as const
    return { request, checkout: yield* payments.createPackCheckout(request) }
  })

  it("a pack's checkout is open, names its purchase, and is the same however often it is asked for", () =>
    Effect.gen(function* () {
      const payments = yield* Payments
      const { checkout, request } = yield* opened("pack")
      assert.deepEqual(yield* payments.createPackCheckout(request), checkout)
      const { stripeCustomerId, ...state } = yield* payments.checkout(checkout.id)
      assert.strictEqual(stripeCustomerId, request.stripeCustomerId)
      assert.deepInclude(state, {
        ...checkout,
        status: "open",
        paid: false,
        orderId: null,
        purchaseId: request.purchaseId,
        subscriptionId: null,
      })
      yield* payments.expireCheckout(checkout.id)
      assert.deepInclude(yield* payments.checkout(checkout.id), { status: "expired", paid: false, url: null })
    }))

  it(
    "a pack that is paid has a payment of its price, by the same customer",
    () =>
      Effect.gen(function* () {
        const payments = yield* Payments
        const { checkout, request } = yield* opened("pack-paid")
        if (pay !== undefined) yield* pay(checkout.id)
        const state = yield* payments.checkout(checkout.id)
        assert.deepInclude(state, { status: "complete", paid: true, url: null, purchaseId: request.purchaseId })
        const payment = yield* payments.payment(state.paymentId ?? "")
        const { stripeCustomerId } = request
        assert.deepInclude(payment, { amount: packs["1m"].cents, refunded: 0, disputed: 0, stripeCustomerId })
      }),
    pay === undefined,
  )
}
