/**
 * The token-proxy as layers: `routes` on any router, `layer` with its own public server. Needs Allowance, AllowanceSource,
 * Calibrations, Switches, Kimi and Settings. On SIGTERM it stops accepting, lets streams end within a bound, then settles
 * what is left.
 */
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
import * as BalanceWatch from "./BalanceWatch.ts"
import { Calibration } from "./Calibration.ts"
import { Forward } from "./Forward.ts"
import { Intake } from "./Intake.ts"
import * as Metrics from "./Metrics.ts"
import * as PublicServer from "./PublicServer.ts"
import { Queue } from "./Queue.ts"
import * as Routes from "./Routes.ts"
import { Settlement } from "./Settlement.ts"
import { Stops } from "./Stops.ts"

const steps = Layer.mergeAll(
  Authenticate.layer,
  Admission.layer,
  Calibration.layer,
  Queue.layer,
  Intake.layer,
  Forward.layer,
  BalanceWatch.layer,
  Stops.layer,
).pipe(Layer.provideMerge(Settlement.layer))

/** Every route, on whatever router is given. */
export const routes = Routes.layer.pipe(Layer.provide(steps))

/** For tests; `layer` takes the bound on connections from the environment. */
export const server = PublicServer.make

/** Serves the routes on the HttpServer in context. The request logger is off: it costs more than the request. */
export const serve = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })

/**
 * `PROXY_PORT` (8080) on `HOST` (127.0.0.1), for at most `PROXY_CONNECTIONS` (10,000) at once; a shutdown lets streams end
 * within `PROXY_DRAIN` (30 seconds).
 */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const port = yield* Listen.port("PROXY_PORT", 8080)
    const drain = yield* Config.Duration("PROXY_DRAIN").pipe(Config.withDefault(Duration.seconds(30)))
    const connections = yield* Config.Int("PROXY_CONNECTIONS").pipe(Config.withDefault(10_000))
    const context = yield* Effect.context<never>()
    const onDrop = () => Metrics.droppedConnections.updateUnsafe(1, context)
    const server = () => PublicServer.make({ connections, onDrop })
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
