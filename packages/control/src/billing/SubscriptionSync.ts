/**
 * Mirrors a subscription and what follows from it: how long the customer is served and which periods are paid. The state is
 * fetched anew for each event and only ever moves `paid_until` forward, so events may come late, twice and in any order.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Agents } from "../provision/Agents.ts"
import { Allowances } from "./Allowances.ts"
import type { InvoiceState, SubscriptionState } from "./Payments.ts"
import { serviceUntil } from "./ServiceTerm.ts"

export interface SubscriptionFacts {
  readonly subscription: SubscriptionState
  /** The invoice that the event is about, if it is about one. */
  readonly invoice: InvoiceState | undefined
}

/** How far the subscription is paid now. */
export const paidUntil = (before: number, invoice: InvoiceState | undefined): number =>
  invoice?.status === "paid" ? Math.max(before, invoice.periodEnd) : before

export class SubscriptionSync extends Context.Service<
  SubscriptionSync,
  {
    /** Joins the caller's transaction. False if we know no such subscription (yet): its checkout is booked by its own event. */
    apply(facts: SubscriptionFacts): Effect.Effect<boolean, SqlError>
  }
>()("@berth/control/SubscriptionSync") {
  static readonly layer: Layer.Layer<SubscriptionSync, never, SqlClient | Allowances | Agents> = Layer.effect(
    SubscriptionSync,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const allowances = yield* Allowances
      const agents = yield* Agents
      return SubscriptionSync.of({
        apply: Effect.fn("SubscriptionSync.apply")(function* ({ subscription, invoice }) {
          const now = yield* Clock.currentTimeMillis
          const [owner] = yield* sql<{ readonly accountId: CustomerId }>`
            SELECT account_id AS "accountId" FROM subscriptions WHERE id = ${subscription.id}`
          if (owner === undefined) return false
          yield* sql`SELECT 1 FROM accounts WHERE id = ${owner.accountId} FOR UPDATE`
          const [mirror] = yield* sql<{ readonly paidUntil: number }>`
            SELECT paid_until AS "paidUntil" FROM subscriptions WHERE id = ${subscription.id} FOR UPDATE`
          const term = { paidUntil: paidUntil(mirror?.paidUntil ?? 0, invoice), cancelAt: subscription.cancelAt }
          yield* sql`
            UPDATE subscriptions SET status = ${subscription.status}, anchor = ${subscription.anchor},
              period_start = ${subscription.periodStart}, period_end = ${subscription.periodEnd},
              paid_until = ${term.paidUntil}, cancel_at = ${term.cancelAt}, updated_at = ${now}
            WHERE id = ${subscription.id}`
          yield* sql`
            UPDATE allowance_periods SET provisional = false
            WHERE customer_id = ${owner.accountId} AND provisional AND ends_at <= ${term.paidUntil}`
          // Whoever pays is served again, and what was not deleted yet for want of payment is kept.
          if (invoice?.status === "paid" && term.paidUntil > (mirror?.paidUntil ?? 0))
            yield* agents.change(owner.accountId, { _tag: "Resume", reason: "payment" }, "stripe")
          yield* allowances.change(owner.accountId, { serviceUntil: serviceUntil(term), anchor: subscription.anchor })
          return true
        }),
      })
    }),
  )
}
