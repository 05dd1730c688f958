/**
 * Stops agents whose service has ended, for want of payment or by cancellation: suspended for payment, which keeps all data.
 * Whoever is served again is resumed by the projection (Projection.ts). One customer who fails keeps no other from theirs.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { Agents } from "../provision/Agents.ts"

/** How long data is kept after the agent was stopped: 30 days. */
export const keptMillis = 30 * 86_400_000

interface Lapsed {
  readonly customerId: CustomerId
  readonly subscriptionId: string
  readonly why: "unpaid" | "canceled" | "refunded"
}

/**
 * Service has ended, and the agent is neither stopped for it nor leaving. A subscription that Stripe ended later than what was
 * paid, it ended for want of payment; without grace, the money went back.
 */
const lapsed = Effect.fn("Lapses.lapsed")(function* (now: number, customerId: CustomerId | null) {
  const sql = yield* SqlClient
  return yield* sql<Lapsed>`
    SELECT a.customer_id AS "customerId", s.id AS "subscriptionId",
      CASE WHEN s.cancel_at <= least(${now}::bigint, s.paid_until) THEN 'canceled' WHEN a.service_until <= s.paid_until THEN 'refunded' ELSE 'unpaid' END
        AS why
    FROM allowances a
    JOIN agents g ON g.customer_id = a.customer_id
    JOIN orders o ON o.id = g.order_id AND o.status = 'paid'
    JOIN subscriptions s ON s.id = o.subscription_id
    WHERE a.service_until <= ${now} AND s.lapsed_at IS NULL AND g.phase <> 'deleted' AND g.desired -> 'deletion' IS NULL
      AND (${customerId}::text IS NULL OR a.customer_id = ${customerId})`
})

/** Looks again with the account held: the money may have come in meanwhile. */
const stop = Effect.fn("Lapses.stop")(function* (customerId: CustomerId, now: number) {
  const sql = yield* SqlClient
  const agents = yield* Agents
  const events = yield* CustomerEvents
  yield* sql`SELECT 1 FROM accounts WHERE id = ${customerId} FOR UPDATE`
  const [one] = yield* lapsed(now, customerId)
  if (one === undefined) return
  const { subscriptionId, why } = one
  yield* agents.change(customerId, { _tag: "Suspend", reason: "payment" }, "billing")
  yield* sql`UPDATE subscriptions SET lapsed_at = ${now} WHERE id = ${subscriptionId}`
  yield* events.append(customerId, `ended:${subscriptionId}:${now}`, {
    _tag: "service.ended",
    why,
    deletesAt: now + keptMillis,
  })
})

/** How many were stopped. */
export const carryOut = Effect.gen(function* () {
  const sql = yield* SqlClient
  const events = yield* CustomerEvents
  const now = yield* Clock.currentTimeMillis
  const due = yield* lapsed(now, null)
  const stopped = yield* Effect.forEach(due, ({ customerId }) =>
    Effect.exit(Effect.andThen(sql.withTransaction(stop(customerId, now)), events.announce(customerId))),
  )
  for (const exit of stopped) if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
  return due.length
}).pipe(Effect.withSpan("Lapses.carryOut"))
