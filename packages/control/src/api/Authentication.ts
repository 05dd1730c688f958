/** The middleware behind `Authenticated` and `AdminOnly`. */
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Caller } from "./Caller.ts"
import { AdminOnly, Authenticated, CurrentAccount, Forbidden } from "./Session.ts"

const safe = new Set(["GET", "HEAD", "OPTIONS"])

export const authenticated: Layer.Layer<Authenticated, never, Caller> = Layer.effect(
  Authenticated,
  Effect.gen(function* () {
    const caller = yield* Caller
    const cookie = (token: string) =>
      Effect.flatMap(HttpServerRequest, (request) => caller.ofCookie(request, token, safe.has(request.method)))
    return Authenticated.of({
      cookie: (handle, { credential }) =>
        cookie(Redacted.value(credential)).pipe(
          Effect.flatMap((id) => Effect.provideService(handle, CurrentAccount, { id })),
        ),
      bearer: (handle, { credential }) =>
        caller
          .ofBearer(Redacted.value(credential))
          .pipe(Effect.flatMap((id) => Effect.provideService(handle, CurrentAccount, { id }))),
    })
  }),
)

/** Refuses everyone: no account is staff yet. */
export const adminOnly: Layer.Layer<AdminOnly> = Layer.succeed(AdminOnly)(() =>
  Effect.fail(new Forbidden({ message: "This is for staff." })),
)
