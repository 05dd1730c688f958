/**
 * Who is calling: a random session, held as an HttpOnly cookie by browsers and as a bearer by HTTP clients. Only its
 * SHA-256 is stored. Every route acts on the session's own account, so there is no id in a path to guess.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Context from "effect/Context"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import * as Schema from "effect/Schema"

export class CurrentAccount extends Context.Service<CurrentAccount, { readonly id: CustomerId }>()(
  "@berth/control/CurrentAccount",
) {}

export class Unauthorized extends Schema.TaggedError<Unauthorized>()(
  "Unauthorized",
  { message: Schema.String },
  { httpApiStatus: 401 },
) {}

export class Forbidden extends Schema.TaggedError<Forbidden>()(
  "Forbidden",
  { message: Schema.String },
  { httpApiStatus: 403 },
) {}

export const sessionCookie = HttpApiSecurity.apiKey({ in: "cookie", key: "berth_session" })

export class Authenticated extends HttpApiMiddleware.Service<
  Authenticated,
  { provides: CurrentAccount; requires: never }
>()("@berth/control/Authenticated", {
  security: { cookie: sessionCookie, bearer: HttpApiSecurity.bearer },
  error: Unauthorized,
}) {}

/** Admin routes. Until staff accounts exist it refuses everyone. */
export class AdminOnly extends HttpApiMiddleware.Service<AdminOnly, { provides: never; requires: CurrentAccount }>()(
  "@berth/control/AdminOnly",
  { error: Forbidden },
) {}
