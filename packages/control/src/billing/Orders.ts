/** Orders: what was offered, to whom, and whether it is paid. An account has at most one open order and, once paid, one agent. */
import { CustomerId, OrderId } from "@berth/domain/Ids"
import { SoldTierId } from "@berth/domain/Tiers"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export const Order = Schema.Struct({
  id: OrderId,
  accountId: CustomerId,
  conversationId: Schema.NullOr(Schema.String),
  tier: SoldTierId,
  facts: Schema.Record(Schema.String, Schema.Unknown),
  email: Schema.String,
  telegramUserId: Schema.String,
  botUsername: Schema.String,
  status: Schema.Literals(["open", "paid", "canceled"]),
  checkoutId: Schema.NullOr(Schema.String),
  checkoutUrl: Schema.NullOr(Schema.String),
  checkoutAttempt: Schema.Int,
  subscriptionId: Schema.NullOr(Schema.String),
  jobId: Schema.NullOr(Schema.String),
  createdAt: Schema.Int,
  paidAt: Schema.NullOr(Schema.Int),
})
export type Order = typeof Order.Type

/** What the conversation gathered. */
export interface OrderDraft {
  readonly id: OrderId
  readonly accountId: CustomerId
  readonly conversationId: string | null
  readonly tier: SoldTierId
  readonly facts: Readonly<Record<string, unknown>>
  readonly email: string
  readonly telegramUserId: string
  readonly botUsername: string
}

/** The account has a paid order already: one account, one agent. */
export class AlreadyCustomer extends Schema.TaggedError<AlreadyCustomer>()(
  "AlreadyCustomer",
  { orderId: OrderId },
  { httpApiStatus: 409 },
) {}

const decode = Schema.decodeUnknownEffect(Order)

export class Orders extends Context.Service<
  Orders,
  {
    /** Places an order; an open one of the same account is canceled. Joins the caller's transaction. */
    place(draft: OrderDraft): Effect.Effect<Order, AlreadyCustomer | SqlError>
    find(id: string): Effect.Effect<Option.Option<Order>, SqlError>
  }
>()("@berth/control/Orders") {
  static readonly layer: Layer.Layer<Orders, never, SqlClient> = Layer.effect(
    Orders,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const find = Effect.fn("Orders.find")(function* (id: string) {
        const rows = yield* sql`
          SELECT id, account_id AS "accountId", conversation_id AS "conversationId", tier, facts, email,
            telegram_user_id AS "telegramUserId", bot_username AS "botUsername", status, checkout_id AS "checkoutId",
            checkout_url AS "checkoutUrl", checkout_attempt AS "checkoutAttempt", subscription_id AS "subscriptionId",
            job_id AS "jobId", created_at AS "createdAt", paid_at AS "paidAt"
          FROM orders WHERE id = ${id}`
        return rows[0] === undefined ? Option.none() : Option.some(yield* decode(rows[0]).pipe(Effect.orDie))
      })
      const place = Effect.fn("Orders.place")(function* (draft: OrderDraft) {
        const now = yield* Clock.currentTimeMillis
        yield* sql`SELECT 1 FROM accounts WHERE id = ${draft.accountId} FOR UPDATE`
        const paid = yield* sql<{ readonly id: OrderId }>`
          SELECT id FROM orders WHERE account_id = ${draft.accountId} AND status = 'paid'`
        if (paid[0] !== undefined) return yield* new AlreadyCustomer({ orderId: paid[0].id })
        yield* sql`UPDATE orders SET status = 'canceled' WHERE account_id = ${draft.accountId} AND status = 'open'`
        yield* sql`
          INSERT INTO orders (id, account_id, conversation_id, tier, facts, email, telegram_user_id, bot_username,
                              status, created_at)
          VALUES (${draft.id}, ${draft.accountId}, ${draft.conversationId}, ${draft.tier},
                  ${JSON.stringify(draft.facts)}::text::jsonb, ${draft.email}, ${draft.telegramUserId},
                  ${draft.botUsername}, 'open', ${now})`
        return Option.getOrThrow(yield* find(draft.id))
      })
      return Orders.of({ place: (draft) => sql.withTransaction(place(draft)), find })
    }),
  )
}
