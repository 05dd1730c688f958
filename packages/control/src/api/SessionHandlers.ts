/** `POST /api/session`: a valid session is told itself, anybody else gets a new anonymous account. */
import * as Effect from "effect/Effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { PublicApi } from "./Api.ts"
import { Caller } from "./Caller.ts"
import { Forbidden, sessionCookie } from "./Session.ts"
import { sessionDays, Sessions } from "./Sessions.ts"
import { Site } from "./Site.ts"

export const sessionHandlers = HttpApiBuilder.group(
  PublicApi,
  "session",
  Effect.fn(function* (group) {
    const sessions = yield* Sessions
    const caller = yield* Caller
    const site = yield* Site
    return group.handle(
      "open",
      Effect.fn("Session.open")(function* ({ payload, request }) {
        // Else a foreign page could put its visitor into an account of its own choosing.
        if (!caller.isOurs(request)) return yield* new Forbidden({ message: "This request came from another site." })
        const known = yield* Effect.option(caller.ofSocket(request))
        if (Option.isSome(known)) return { accountId: known.value, token: null }
        const { accountId, token } = yield* Effect.orDie(sessions.open)
        if (payload.bearer === true) return { accountId, token: Redacted.value(token) }
        yield* HttpApiBuilder.securitySetCookie(sessionCookie, token, {
          secure: site.origin.startsWith("https:"),
          httpOnly: true,
          sameSite: "lax",
          path: "/",
          maxAge: `${sessionDays} days`,
        })
        return { accountId, token: null }
      }),
    )
  }),
)
