/** Opens the payment page of an order: at most one live checkout per order, however often it is asked for. */
import type { CustomerId, OrderId } from "@berth/domain/Ids"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import type { NotFound } from "../api/Api.ts"

/** The order is paid or canceled: there is nothing to pay. */
export class NotPayable extends Schema.TaggedError<NotPayable>()(
  "NotPayable",
  { status: Schema.Literals(["paid", "canceled"]) },
  { httpApiStatus: 409 },
) {}

/** Stripe did not answer; nothing was charged and the same call may be made again. */
export class PaymentsUnavailable extends Schema.TaggedError<PaymentsUnavailable>()(
  "PaymentsUnavailable",
  { operation: Schema.String, cause: Schema.Defect() },
  { httpApiStatus: 503 },
) {}

export class Checkout extends Context.Service<
  Checkout,
  {
    /** The page's address. Only the order's own account may pay it; any other gets NotFound. */
    open(
      accountId: CustomerId,
      orderId: OrderId,
    ): Effect.Effect<{ readonly url: string }, NotFound | NotPayable | PaymentsUnavailable | SqlError>
  }
>()("@berth/control/Checkout") {}
