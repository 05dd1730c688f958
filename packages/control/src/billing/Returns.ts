/**
 * Who may come back: a customer whose plan has ended while the agent still stands, stopped, with all its data. They pay for
 * another subscription of the same order, and the same agent goes on.
 */
import type { SoldTierId } from "@berth/domain/Tiers"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Order } from "./Orders.ts"

/** The tier that they had last, and who they are at Stripe. */
export interface Return {
  readonly tier: SoldTierId
  readonly stripeCustomerId: string
}

/** Undefined for everybody else. */
export const of = Effect.fn("Returns.of")(function* (order: Pick<Order, "id" | "subscriptionId">) {
  const sql = yield* SqlClient
  const [found] = yield* sql<Return>`
    SELECT coalesce(s.next_tier, s.tier) AS tier, a.stripe_customer_id AS "stripeCustomerId"
    FROM subscriptions s JOIN accounts a ON a.id = s.account_id JOIN agents g ON g.order_id = ${order.id}
    WHERE s.id = ${order.subscriptionId} AND s.ended AND a.stripe_customer_id IS NOT NULL
      AND g.phase <> 'deleted' AND g.desired -> 'deletion' IS NULL`
  return found
})
