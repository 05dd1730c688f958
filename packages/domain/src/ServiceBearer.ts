/**
 * The credential between services: one bearer, compared by hash in constant time. A port that asks for it is reached by no
 * Ingress besides.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

export class Unauthorized extends Schema.TaggedError<Unauthorized>()(
  "Unauthorized",
  { message: Schema.String },
  { httpApiStatus: 401 },
) {}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

export class ServiceBearer extends HttpApiMiddleware.Service<ServiceBearer>()("@berth/domain/ServiceBearer", {
  security: { bearer: HttpApiSecurity.bearer },
  error: Unauthorized,
}) {
  /** Lets who bears this token in. */
  static readonly layerOf = (token: Redacted.Redacted<string>): Layer.Layer<ServiceBearer> =>
    Layer.succeed(ServiceBearer)({
      bearer: (handle, { credential }) =>
        timingSafeEqual(digest(Redacted.value(credential)), digest(Redacted.value(token)))
          ? handle
          : Effect.fail(new Unauthorized({ message: "This needs the service's bearer token." })),
    })
}
