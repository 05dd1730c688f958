/**
 * The mirror of what Stripe knows of a customer: rows that are replaced by what was fetched last. Everything here joins the
 * caller's transaction, which holds the account's row.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { InvoiceState, PaymentState, SubscriptionState } from "./Payments.ts"

/** What was fetched at one time. */
export interface Fetched {
  readonly subscription: SubscriptionState | undefined
  readonly invoices: ReadonlyArray<InvoiceState>
  readonly payments: ReadonlyArray<PaymentState>
}

export const putSubscription = Effect.fn("Mirror.putSubscription")(function* (one: SubscriptionState) {
  const sql = yield* SqlClient
  const now = yield* Clock.currentTimeMillis
  yield* sql`
    UPDATE subscriptions SET status = ${one.status}, next_tier = ${one.tier}, anchor = ${one.anchor},
      period_start = ${one.periodStart}, period_end = ${one.periodEnd}, cancel_at = ${one.cancelAt}, ended = ${one.ended},
      updated_at = ${now}
    WHERE id = ${one.id}`
})

export const putInvoice = Effect.fn("Mirror.putInvoice")(function* (accountId: CustomerId, one: InvoiceState) {
  const sql = yield* SqlClient
  const row = {
    status: one.status,
    tier: one.tier,
    period_start: one.periodStart,
    period_end: one.periodEnd,
    amount_due: one.amountDue,
    amount_paid: one.amountPaid,
    attempts: one.attempts,
    next_attempt_at: one.nextAttemptAt,
    page_url: one.pageUrl,
    payment_id: one.paymentId,
  }
  const first = { id: one.id, account_id: accountId, subscription_id: one.subscriptionId, reason: one.reason }
  yield* sql`
    INSERT INTO invoices ${sql.insert({ ...first, created_at: one.createdAt, ...row })}
    ON CONFLICT (id) DO UPDATE SET ${sql.update(row)}`
})

export const putPayment = Effect.fn("Mirror.putPayment")(function* (accountId: CustomerId, one: PaymentState) {
  const sql = yield* SqlClient
  const row = { amount: one.amount, refunded: one.refunded, disputed: one.disputed }
  yield* sql`
    INSERT INTO payments ${sql.insert({ id: one.id, account_id: accountId, ...row })}
    ON CONFLICT (id) DO UPDATE SET ${sql.update(row)}`
})

/** Everything that was fetched. An invoice of a subscription that we have not booked is left out. */
export const put = Effect.fn("Mirror.put")(function* (accountId: CustomerId, fetched: Fetched) {
  const sql = yield* SqlClient
  if (fetched.subscription !== undefined) yield* putSubscription(fetched.subscription)
  const booked = yield* sql<{ readonly id: string }>`SELECT id FROM subscriptions WHERE account_id = ${accountId}`
  for (const invoice of fetched.invoices)
    if (booked.some(({ id }) => id === invoice.subscriptionId)) yield* putInvoice(accountId, invoice)
  for (const payment of fetched.payments) yield* putPayment(accountId, payment)
})
