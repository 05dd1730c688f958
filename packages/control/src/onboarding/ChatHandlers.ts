/** The web's way into the conversation. */
import * as Effect from "effect/Effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Option from "effect/Option"
import { NotFound, PublicApi } from "../api/Api.ts"
import { CurrentAccount } from "../api/Session.ts"
import { Orders } from "../billing/Orders.ts"
import { Onboarding } from "./Onboarding.ts"
import { Provisioning } from "./Provisioning.ts"

export const chatHandlers = HttpApiBuilder.group(
  PublicApi,
  "chat",
  Effect.fn(function* (group) {
    const onboarding = yield* Onboarding
    const orders = yield* Orders
    const provisioning = yield* Provisioning
    return group.handleAll({
      open: Effect.fn("Chat.open")(function* () {
        const { id } = yield* CurrentAccount
        return yield* Effect.orDie(onboarding.open(id))
      }),
      get: Effect.fn("Chat.get")(function* ({ params }) {
        const { id } = yield* CurrentAccount
        return yield* onboarding.get(id, params.id).pipe(Effect.catchTag("SqlError", Effect.die))
      }),
      say: Effect.fn("Chat.say")(function* ({ params, payload }) {
        const { id } = yield* CurrentAccount
        const saying = { ...payload, via: "web" as const }
        return yield* onboarding.say(id, params.id, saying).pipe(Effect.catchTag("SqlError", Effect.die))
      }),
      returned: Effect.fn("Chat.returned")(function* ({ payload }) {
        const { id } = yield* CurrentAccount
        const order = Option.getOrUndefined(yield* Effect.orDie(orders.find(payload.orderId)))
        if (order === undefined || order.accountId !== id) {
          return yield* new NotFound({ message: "There is no such order." })
        }
        // A replaced order that is paid all the same may be a second payment: what becomes of it is for the webhook to settle.
        if (order.status === "canceled") return { outcome: "unpaid" as const }
        return { outcome: (yield* provisioning.provision(order.id))._tag }
      }),
    })
  }),
)
