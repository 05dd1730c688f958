/**
 * Tells customers whose renewal can't be charged, day by day until service ends: docs/billing.md. Each day's word is an event
 * with a source id, so it is told once, also by two billing processes; one customer who fails keeps no other from theirs.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { type Day, dueDay } from "./DunningRule.ts"

interface Failed {
  readonly customerId: CustomerId
  readonly invoiceId: string
  readonly cents: number
  readonly paidUntil: number
  readonly endsAt: number
  readonly payUrl: string | null
  readonly told: Day | null
}

/** Renewals of running subscriptions that were tried in vain, while their customer is still served. */
const failed = Effect.fn("Dunning.failed")(function* (now: number, customerId: CustomerId | null) {
  const sql = yield* SqlClient
  return yield* sql<Failed>`
    SELECT i.account_id AS "customerId", i.id AS "invoiceId", i.amount_due AS cents, s.paid_until AS "paidUntil",
      a.service_until AS "endsAt", i.page_url AS "payUrl",
      (SELECT max((e.payload ->> 'day')::bigint) FROM customer_events e
       WHERE e.customer_id = i.account_id AND e.source_id LIKE 'dunning:' || i.id || ':%') AS told
    FROM invoices i
    JOIN orders o ON o.subscription_id = i.subscription_id AND o.status = 'paid'
    JOIN subscriptions s ON s.id = i.subscription_id
    JOIN allowances a ON a.customer_id = i.account_id
    WHERE i.status = 'open' AND i.attempts > 0 AND i.reason = 'cycle' AND i.period_start >= s.paid_until
      AND NOT s.ended AND a.service_until > ${now}
      AND (${customerId}::text IS NULL OR i.account_id = ${customerId})
    ORDER BY i.period_start`
})

/** Looks again with the account held: the money may have come in meanwhile. */
const tellOne = Effect.fn("Dunning.tellOne")(function* (customerId: CustomerId, invoiceId: string, now: number) {
  const sql = yield* SqlClient
  const events = yield* CustomerEvents
  yield* sql`SELECT 1 FROM accounts WHERE id = ${customerId} FOR UPDATE`
  const one = (yield* failed(now, customerId)).find((row) => row.invoiceId === invoiceId)
  const day = one === undefined ? undefined : dueDay(one.paidUntil, now, one.told ?? undefined)
  if (one === undefined || day === undefined) return
  const { cents, endsAt, payUrl } = one
  yield* events.append(customerId, `dunning:${invoiceId}:${day}`, {
    _tag: "payment.failed",
    day,
    cents,
    endsAt,
    payUrl,
  })
})

/** How many were due. */
export const tell = Effect.gen(function* () {
  const sql = yield* SqlClient
  const events = yield* CustomerEvents
  const now = yield* Clock.currentTimeMillis
  const due = (yield* failed(now, null)).filter(
    ({ paidUntil, told }) => dueDay(paidUntil, now, told ?? undefined) !== undefined,
  )
  const told = yield* Effect.forEach(due, ({ customerId, invoiceId }) =>
    Effect.exit(Effect.andThen(sql.withTransaction(tellOne(customerId, invoiceId, now)), events.announce(customerId))),
  )
  for (const exit of told) if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
  return due.length
}).pipe(Effect.withSpan("Dunning.tell"))
