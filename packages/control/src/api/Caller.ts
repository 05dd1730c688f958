/**
 * Who a request comes from, decided in one place for HTTP routes and the WebSocket: a bearer, or the cookie if the request
 * comes from our own pages. A wrong credential is never told apart from a missing one.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { isSameSite } from "./SameSite.ts"
import { Unauthorized } from "./Session.ts"
import { Sessions } from "./Sessions.ts"
import { Site } from "./Site.ts"

export const cookieName = "berth_session"

const nobody = new Unauthorized({ message: "Open a session first: POST /api/session." })
const foreign = new Unauthorized({ message: "This request came from another site." })

export class Caller extends Context.Service<
  Caller,
  {
    ofBearer(token: string): Effect.Effect<CustomerId, Unauthorized>
    /** `isSafe`: the request changes nothing, so a foreign page may not even profit from making it. */
    ofCookie(request: HttpServerRequest, token: string, isSafe: boolean): Effect.Effect<CustomerId, Unauthorized>
    /** By whichever it carries; a WebSocket is held to the rule for requests that change something. */
    ofSocket(request: HttpServerRequest): Effect.Effect<CustomerId, Unauthorized>
    /** Whether our own pages, or no browser at all, made the request. */
    isOurs(request: HttpServerRequest): boolean
  }
>()("@berth/control/Caller") {
  static readonly layer: Layer.Layer<Caller, never, Sessions | Site> = Layer.effect(
    Caller,
    Effect.gen(function* () {
      const sessions = yield* Sessions
      const site = yield* Site
      const isOurs = ({ headers }: HttpServerRequest): boolean =>
        isSameSite(site.origin, {
          host: headers["host"],
          origin: headers["origin"],
          secFetchSite: headers["sec-fetch-site"],
        })
      const ofBearer = (token: string) =>
        sessions
          .find(token)
          .pipe(
            Effect.orDie,
            Effect.flatMap(Option.match({ onNone: () => Effect.fail(nobody), onSome: Effect.succeed })),
          )
      const ofCookie = (request: HttpServerRequest, token: string, isSafe: boolean) =>
        token !== "" && !isSafe && !isOurs(request) ? Effect.fail(foreign) : ofBearer(token)
      return Caller.of({
        ofBearer,
        ofCookie,
        ofSocket: (request) => {
          const bearer = /^bearer\s+(\S+)$/i.exec(request.headers["authorization"] ?? "")?.[1]
          return bearer === undefined ? ofCookie(request, request.cookies[cookieName] ?? "", false) : ofBearer(bearer)
        },
        isOurs,
      })
    }),
  )
}
