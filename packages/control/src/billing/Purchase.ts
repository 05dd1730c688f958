/**
 * From a paid checkout to an agent on its way: the one function behind Stripe's webhook and `POST /provision`. Whichever
 * comes first books the payment and starts the agent in one transaction; the other finds the same job.
 */
import type { CustomerId, OrderId } from "@berth/domain/Ids"
import { Work } from "@berth/domain/Work"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { Agents, type SecretMissing } from "../provision/Agents.ts"
import { Audit } from "./Audit.ts"
import { type Order, Orders } from "./Orders.ts"
import { decide, type PaymentDecision, type PaymentFacts } from "./Payment.ts"
import { Payments, type PaymentsUnavailable } from "./Payments.ts"
import * as Returns from "./Returns.ts"

export class OrderUnknown extends Schema.TaggedError<OrderUnknown>()("OrderUnknown", { orderId: Schema.String }) {}
export class OrderUnpaid extends Schema.TaggedError<OrderUnpaid>()("OrderUnpaid", { orderId: Schema.String }) {}

/** What came of a checkout. An agent that cannot start yet does not undo the payment. */
export interface Settled {
  readonly decision: PaymentDecision
  readonly customerId: CustomerId | undefined
  readonly job: Result.Result<string, SecretMissing> | undefined
}

export class Purchase extends Context.Service<
  Purchase,
  {
    /** Asks Stripe, outside any transaction. */
    gather(checkoutId: string): Effect.Effect<PaymentFacts, PaymentsUnavailable>
    /** Books what was gathered and starts the agent. Joins the caller's transaction; announce the customer's events after it. */
    settle(facts: PaymentFacts): Effect.Effect<Settled, SqlError>
    /** The job of a paid order, in a transaction of its own. An order that looks unpaid is first looked up at Stripe: a lost webhook loses nothing. */
    provision(
      orderId: string,
    ): Effect.Effect<string, OrderUnknown | OrderUnpaid | SecretMissing | PaymentsUnavailable | SqlError>
  }
>()("@berth/control/Purchase") {
  static readonly layer: Layer.Layer<
    Purchase,
    never,
    SqlClient | Orders | Payments | Agents | CustomerEvents | Audit | Work
  > = Layer.effect(
    Purchase,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const orders = yield* Orders
      const payments = yield* Payments
      const agents = yield* Agents
      const events = yield* CustomerEvents
      const audit = yield* Audit
      const work = yield* Work

      const gather = Effect.fn("Purchase.gather")(function* (checkoutId: string) {
        const checkout = yield* payments.checkout(checkoutId)
        const subscription =
          checkout.subscriptionId === null ? undefined : yield* payments.subscription(checkout.subscriptionId)
        return { checkout, subscription }
      })

      /** The order, with its account's row held: the first lock of every transaction about a customer. */
      const hold = Effect.fn("Purchase.hold")(function* (orderId: string) {
        const found = yield* orders.find(orderId)
        if (Option.isNone(found)) return undefined
        yield* sql`SELECT 1 FROM accounts WHERE id = ${found.value.accountId} FOR UPDATE`
        return Option.getOrUndefined(yield* orders.find(orderId))
      })

      /** What the subscription means from now on follows once it is fetched anew, after this is committed. */
      const addSubscription = Effect.fn("Purchase.addSubscription")(function* (
        order: Order,
        { subscription, stripeCustomerId }: PaymentDecision & { readonly _tag: "Pay" | "Return" },
        checkoutId: string,
      ) {
        const now = yield* Clock.currentTimeMillis
        yield* sql`
          UPDATE orders SET status = 'paid', paid_at = coalesce(paid_at, ${now}), subscription_id = ${subscription.id},
            checkout_id = ${checkoutId} WHERE id = ${order.id}`
        yield* sql`
          UPDATE accounts SET stripe_customer_id = ${stripeCustomerId}, email = coalesce(email, ${order.email})
          WHERE id = ${order.accountId}`
        yield* sql`INSERT INTO subscriptions ${sql.insert({
          id: subscription.id,
          account_id: order.accountId,
          order_id: order.id,
          tier: subscription.tier ?? order.tier,
          next_tier: subscription.tier,
          status: subscription.status,
          anchor: subscription.anchor,
          period_start: subscription.periodStart,
          period_end: subscription.periodEnd,
          paid_until: subscription.periodEnd,
          cancel_at: subscription.cancelAt,
          updated_at: now,
        })}`
        yield* work.offer({
          id: `stripe:sync:${subscription.id}:booked`,
          queue: "stripe",
          lane: stripeCustomerId ?? subscription.id,
          payload: { _tag: "sync", subscriptionId: subscription.id },
        })
      })

      const markPaid = Effect.fn("Purchase.markPaid")(function* (
        order: Order,
        decision: PaymentDecision & { readonly _tag: "Pay" },
        checkoutId: string,
      ) {
        yield* sql`
          UPDATE orders SET status = 'canceled'
          WHERE account_id = ${order.accountId} AND status = 'open' AND id <> ${order.id}`
        yield* addSubscription(order, decision, checkoutId)
        yield* events.append(order.accountId, `paid:${order.id}`, { _tag: "paid", orderId: order.id })
      })

      const mayReturn = (order: Order | undefined) =>
        order === undefined ? Effect.undefined : Effect.provideService(Returns.of(order), SqlClient, sql)

      const book = Effect.fn("Purchase.book")(function* (facts: PaymentFacts) {
        const { checkout } = facts
        const order = checkout.orderId === null ? undefined : yield* hold(checkout.orderId)
        const [other] = yield* sql<{ readonly id: OrderId }>`
            SELECT id FROM orders WHERE account_id = ${order?.accountId ?? ""} AND status = 'paid'
              AND id <> ${order?.id ?? ""}`
        const decision = decide(order, other?.id, facts, (yield* mayReturn(order)) !== undefined)
        if (decision._tag === "Pay" && order !== undefined) yield* markPaid(order, decision, checkout.id)
        if (decision._tag === "Return" && order !== undefined) yield* addSubscription(order, decision, checkout.id)
        if (decision._tag === "Excess") {
          const isNew = yield* work.offer({
            id: `stripe:excess:${decision.subscriptionId}`,
            queue: "stripe",
            lane: decision.subscriptionId,
            payload: { _tag: "excess", customerId: order?.accountId, subscriptionId: decision.subscriptionId },
          })
          if (isNew) {
            yield* Effect.logWarning("A second payment is refunded", { orderId: order?.id, checkoutId: checkout.id })
            yield* audit.write("stripe", "payment.excess", order?.accountId ?? "", {
              checkoutId: checkout.id,
              subscriptionId: decision.subscriptionId,
            })
          }
        }
        return decision
      })

      const start = Effect.fn("Purchase.start")(function* (order: Order) {
        return yield* agents.start(order).pipe(
          Effect.map(Result.succeed),
          Effect.catchTag("SecretMissing", (missing) => Effect.succeed(Result.fail(missing))),
        )
      })

      const settle = Effect.fn("Purchase.settle")(function* (facts: PaymentFacts) {
        const decision = yield* book(facts)
        const order = facts.checkout.orderId === null ? undefined : yield* hold(facts.checkout.orderId)
        const started = decision._tag === "Pay" || decision._tag === "Repeat" || decision._tag === "Return"
        return {
          decision,
          customerId: order?.accountId,
          job: order !== undefined && started ? yield* start(order) : undefined,
        }
      })

      const startPaid = Effect.fn("Purchase.startPaid")(function* (orderId: string) {
        const order = yield* hold(orderId)
        return order?.status === "paid" ? yield* start(order) : undefined
      })

      const provision = Effect.fn("Purchase.provision")(function* (orderId: string) {
        const order = Option.getOrUndefined(yield* orders.find(orderId))
        if (order === undefined) return yield* new OrderUnknown({ orderId })
        const back = yield* mayReturn(order)
        if (order.jobId !== null && back === undefined) return order.jobId
        const isAsked = order.checkoutId !== null && (order.status !== "paid" || back !== undefined)
        const facts = isAsked ? yield* gather(order.checkoutId) : undefined
        const job =
          facts === undefined
            ? yield* sql.withTransaction(startPaid(orderId))
            : (yield* sql.withTransaction(settle(facts))).job
        yield* events.announce(order.accountId)
        return job === undefined ? yield* new OrderUnpaid({ orderId }) : yield* Effect.fromResult(job)
      })

      return Purchase.of({ gather, settle, provision })
    }),
  )
}
