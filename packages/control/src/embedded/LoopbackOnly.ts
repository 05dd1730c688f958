/**
 * Keeps `/dev` to this machine: whoever came from elsewhere, or did not reach us by a loopback name, is refused, so that
 * neither the network nor a website in a browser here can look in.
 */
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Option from "effect/Option"

const host = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/
const address = /^(?:127\.|::1$|::ffff:127\.)/

/** Whether a request came from this machine by a name of this machine. */
export const isLocal = (headers: Readonly<Record<string, string | undefined>>, from: Option.Option<string>): boolean =>
  host.test(headers["host"] ?? "") && Option.match(from, { onNone: () => true, onSome: (one) => address.test(one) })

export const layer = HttpRouter.middleware(
  (handler) =>
    Effect.gen(function* () {
      const { url, headers, remoteAddress } = yield* HttpServerRequest.HttpServerRequest
      return url.startsWith("/dev") && !isLocal(headers, remoteAddress)
        ? HttpServerResponse.text("The embedded services answer on this machine alone.\n", { status: 403 })
        : yield* handler
    }),
  { global: true },
)
