/**
 * Money that came in beside what was paid already: a second checkout of an order, or an account's second plan. The
 * subscription is ended and everything that was paid for it refunded, each invoice once.
 */
import type { CustomerId } from "@berth/domain/Ids"
import { Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { Payments } from "./Payments.ts"

/** What of its invoices was paid and has not gone back yet, in cents, is refunded; in all. */
const refundAll = Effect.fn("Excess.refundAll")(function* (subscriptionId: string) {
  const payments = yield* Payments
  const paid = (yield* payments.invoices(subscriptionId)).filter(({ status }) => status === "paid")
  const cents = yield* Effect.forEach(paid, ({ id, paymentId }) =>
    Effect.gen(function* () {
      if (paymentId === null) return 0
      const { amount, refunded, disputed } = yield* payments.payment(paymentId)
      const left = amount - refunded - disputed
      if (left > 0) yield* payments.refund(paymentId, left, `excess:${id}`)
      return amount
    }),
  )
  return cents.reduce((sum, one) => sum + one, 0)
})

export const giveBack = Effect.fn("Excess.giveBack")(function* (
  rowId: string,
  customerId: CustomerId,
  subscriptionId: string,
) {
  const sql = yield* SqlClient
  const work = yield* Work
  const events = yield* CustomerEvents
  const payments = yield* Payments
  yield* payments.cancelSubscription(subscriptionId)
  const cents = yield* refundAll(subscriptionId)
  yield* sql.withTransaction(
    Effect.gen(function* () {
      if (cents > 0)
        yield* events.append(customerId, `excess:${subscriptionId}`, { _tag: "payment.refunded", cents, tokens: 0 })
      yield* work.done(rowId)
    }),
  )
  yield* events.announce(customerId)
})
