/** Opens the payment page of an order: at most one live checkout per order, however often it is asked for. */
import type { CustomerId, OrderId } from "@berth/domain/Ids"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { NotFound } from "../api/Api.ts"
import { type Order, Orders } from "./Orders.ts"
import * as Returns from "./Returns.ts"
import { type CheckoutState, Payments, type PaymentsUnavailable } from "./Payments.ts"

export { PaymentsUnavailable } from "./Payments.ts"

/** The order is paid or canceled: there is nothing to pay. */
export class NotPayable extends Schema.TaggedError<NotPayable>()(
  "NotPayable",
  { status: Schema.Literals(["paid", "canceled"]) },
  { httpApiStatus: 409 },
) {}

/** What to do about an order, given the checkout it has. */
export type Step =
  | { readonly _tag: "Refuse"; readonly status: "paid" | "canceled" }
  | { readonly _tag: "Reuse"; readonly url: string }
  | { readonly _tag: "Create"; readonly attempt: number }

/**
 * A complete checkout is never replaced, even while its money is on the way: paying twice is worse than waiting. A paid order
 * whose plan has ended may be paid for again, as long as its agent stands (`mayReturn`).
 */
export const decide = (order: Order, current: CheckoutState | undefined, mayReturn: boolean): Step => {
  if (order.status !== "open" && !mayReturn) return { _tag: "Refuse", status: order.status }
  const isSpent = mayReturn && current?.status === "complete" && current.subscriptionId === order.subscriptionId
  if (current === undefined || current.status === "expired" || isSpent)
    return { _tag: "Create", attempt: order.checkoutAttempt + 1 }
  return current.status === "open" && current.url !== null
    ? { _tag: "Reuse", url: current.url }
    : { _tag: "Refuse", status: "paid" }
}

export class Checkout extends Context.Service<
  Checkout,
  {
    /** The page's address. Only the order's own account may pay it; any other gets NotFound. */
    open(
      accountId: CustomerId,
      orderId: OrderId,
    ): Effect.Effect<{ readonly url: string }, NotFound | NotPayable | PaymentsUnavailable | SqlError>
  }
>()("@berth/control/Checkout") {
  static readonly layer: Layer.Layer<Checkout, never, SqlClient | Orders | Payments> = Layer.effect(
    Checkout,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const orders = yield* Orders
      const payments = yield* Payments

      /** An order that a newer one replaced must not be paid any more. */
      const closeReplaced = Effect.fn("Checkout.closeReplaced")(function* (accountId: CustomerId) {
        const replaced = yield* sql<{ readonly id: string; readonly checkoutId: string }>`
          SELECT id, checkout_id AS "checkoutId" FROM orders
          WHERE account_id = ${accountId} AND status = 'canceled' AND checkout_url IS NOT NULL`
        for (const { id, checkoutId } of replaced) {
          yield* payments.expireCheckout(checkoutId)
          yield* sql`UPDATE orders SET checkout_url = NULL WHERE id = ${id}`
        }
      })

      const open: Checkout["Service"]["open"] = Effect.fn("Checkout.open")(function* (accountId, orderId) {
        const order = Option.getOrUndefined(yield* orders.find(orderId))
        if (order === undefined || order.accountId !== accountId)
          return yield* new NotFound({ message: "There is no such order." })
        const back = yield* Effect.provideService(Returns.of(order), SqlClient, sql)
        const current =
          (order.status === "open" || back !== undefined) && order.checkoutId !== null
            ? yield* payments.checkout(order.checkoutId)
            : undefined
        const step = decide(order, current, back !== undefined)
        if (step._tag === "Refuse") return yield* new NotPayable({ status: step.status })
        if (step._tag === "Reuse") return { url: step.url }

        yield* closeReplaced(accountId)
        const { tier, email } = order
        const { id, url } = yield* payments.createCheckout({
          orderId,
          accountId,
          tier,
          email,
          attempt: step.attempt,
          ...back,
        })
        // Two callers of one attempt got the same checkout from Stripe; the row moves on once.
        const written = yield* sql`
          UPDATE orders SET checkout_id = ${id}, checkout_url = ${url}, checkout_attempt = ${step.attempt}
          WHERE id = ${orderId} AND status = ${order.status} AND checkout_attempt = ${order.checkoutAttempt} RETURNING id`
        if (written.length > 0) return { url }
        const now = Option.getOrUndefined(yield* orders.find(orderId))
        if (now?.checkoutId !== id) yield* payments.expireCheckout(id)
        return yield* open(accountId, orderId)
      })
      return Checkout.of({ open })
    }),
  )
}
