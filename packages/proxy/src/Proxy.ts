/**
 * The token-proxy as layers: `routes` on any router, `layer` with its own public server. Needs Allowance, AllowanceSource,
 * Kimi and Settings. On SIGTERM it stops accepting, lets streams end within a bound, then settles what is left.
 */
import { createServer, type Server } from "node:http"
import { Allowance } from "@berth/domain/Allowance"
import * as Listen from "@berth/domain/Listen"
import * as Ops from "@berth/domain/Ops"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { Admission } from "./Admission.ts"
import { Authenticate } from "./Authenticate.ts"
import { Queue } from "./Queue.ts"
import * as Routes from "./Routes.ts"
import { Settlement } from "./Settlement.ts"

const steps = Layer.mergeAll(Authenticate.layer, Admission.layer, Queue.layer).pipe(
  Layer.provideMerge(Settlement.layer),
)

/** Every route, on whatever router is given. */
export const routes = Routes.layer.pipe(Layer.provide(steps))

/** A server that bounds what a slow or hostile client can hold: headers, their number, and the time to send a request. */
export const server = (): Server => {
  const made = createServer({
    maxHeaderSize: 16 * 1024,
    headersTimeout: 15_000,
    requestTimeout: 60_000,
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: 5_000,
    noDelay: true,
  })
  made.maxHeadersCount = 100
  // Node closes idle connections once, when it stops listening; one that falls idle later would hold up the shutdown.
  const close = made.close.bind(made)
  made.close = (done) => {
    const timer = setInterval(() => made.closeIdleConnections(), 50)
    made.once("close", () => clearInterval(timer))
    return close(done)
  }
  return made
}

/** Serves the routes on the HttpServer in context. The request logger is off: it costs more than the request. */
export const serve = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })

/** `PROXY_PORT` (8080) on `HOST` (127.0.0.1); a shutdown lets streams end within `PROXY_DRAIN` (30 seconds). */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const port = yield* Listen.port("PROXY_PORT", 8080)
    const drain = yield* Config.Duration("PROXY_DRAIN").pipe(Config.withDefault(Duration.seconds(30)))
    return serve.pipe(Layer.provide(Listen.layer({ variable: "PROXY_PORT", port, server, drain })))
  }),
)

/** `PROXY_OPS_PORT` (9090). Ready while requests can be admitted: any lookup will do, what matters is that the store answers. */
export const ops = Ops.layer({
  variable: "PROXY_OPS_PORT",
  port: 9090,
  ready: Effect.match(
    Allowance.use((allowance) => allowance.customerOf("readiness")),
    { onSuccess: () => true, onFailure: () => false },
  ),
})
