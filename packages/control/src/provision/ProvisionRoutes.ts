/**
 * `POST /provision` on the internal port. The service bearer is compared by hash in constant time; without one configured
 * the service does not start. Stripe being away looks like "not paid as far as we know": the caller asks again.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Conflict, NotFound, StoreUnavailable } from "../api/Api.ts"
import { Unauthorized } from "../api/Session.ts"
import { Purchase } from "../billing/Purchase.ts"
import { InternalApi, ServiceBearer } from "./ProvisionApi.ts"

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

export const bearerLayer = (token: Redacted.Redacted<string>): Layer.Layer<ServiceBearer> =>
  Layer.succeed(ServiceBearer)({
    bearer: (handle, { credential }) =>
      timingSafeEqual(digest(Redacted.value(credential)), digest(Redacted.value(token)))
        ? handle
        : Effect.fail(new Unauthorized({ message: "This needs the service's bearer token." })),
  })

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
