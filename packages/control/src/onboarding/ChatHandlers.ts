/** The web's way into the conversation. */
import * as Effect from "effect/Effect"
import { HttpApiBuilder } from "effect/http-api"
import { PublicApi } from "../api/Api.ts"
import { CurrentAccount } from "../api/Session.ts"
import { Onboarding } from "./Onboarding.ts"

export const chatHandlers = HttpApiBuilder.group(
  PublicApi,
  "chat",
  Effect.fn(function* (group) {
    const onboarding = yield* Onboarding
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
    })
  }),
)
