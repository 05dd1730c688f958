/**
 * `POST /provision` on the internal port. Without a service bearer the service does not start. Stripe being away looks like
 * "not paid as far as we know": the caller asks again.
 */
import * as Effect from "effect/Effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Layer from "effect/Layer"
import { Conflict, NotFound, StoreUnavailable } from "../api/Api.ts"
import { Purchase } from "../billing/Purchase.ts"
import { InternalApi } from "./ProvisionApi.ts"

const handlers = HttpApiBuilder.group(
  InternalApi,
  "provision",
  Effect.fn(function* (group) {
    const purchase = yield* Purchase
    return group.handle("provision", ({ payload }) =>
      purchase.provision(payload.orderId).pipe(
        Effect.map((jobId) => ({ jobId })),
        Effect.catchTags({
          OrderUnknown: () => Effect.fail(new NotFound({ message: "There is no such order." })),
          OrderUnpaid: () => Effect.fail(new Conflict({ message: "The order is not paid." })),
          PaymentsUnavailable: () =>
            Effect.fail(new Conflict({ message: "The order is not paid as far as is known; Stripe does not answer." })),
          SecretMissing: ({ purpose }) =>
            Effect.fail(new Conflict({ message: `The order is paid, but its ${purpose} is missing.` })),
          SqlError: ({ reason }) =>
            Effect.andThen(
              Effect.logError("Postgres failed POST /provision", reason._tag),
              Effect.fail(StoreUnavailable.of("postgres")),
            ),
        }),
      ),
    )
  }),
)

/** Routes for an HttpRouter that is served on the internal port alone. */
export const layer = HttpApiBuilder.layer(InternalApi).pipe(Layer.provide(handlers))
