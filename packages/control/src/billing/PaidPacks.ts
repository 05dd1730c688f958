/** A pack's checkout, as Stripe knows it: once it is paid its tokens are granted. */
import type { CustomerId } from "@berth/domain/Ids"
import { Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import type { CheckoutState } from "./Payments.ts"
import { project } from "./Projection.ts"

export const book = Effect.fn("PaidPacks.book")(function* (rowId: string, purchaseId: string, checkout: CheckoutState) {
  const sql = yield* SqlClient
  const work = yield* Work
  const events = yield* CustomerEvents
  const [owner] = yield* sql<{ readonly id: CustomerId }>`SELECT account_id AS id FROM packs WHERE id = ${purchaseId}`
  if (owner === undefined || !checkout.paid) return yield* work.done(rowId)
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`SELECT 1 FROM accounts WHERE id = ${owner.id} FOR UPDATE`
      yield* sql`
        UPDATE packs SET status = 'paid', checkout_id = ${checkout.id}, checkout_url = NULL,
          payment_id = ${checkout.paymentId}
        WHERE id = ${purchaseId} AND status <> 'paid'`
      yield* project(owner.id)
      yield* work.done(rowId)
    }),
  )
  yield* events.announce(owner.id)
})
