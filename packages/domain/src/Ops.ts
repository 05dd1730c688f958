/**
 * The port that no Ingress reaches: `/healthz` (the process runs), `/readyz` (it can do its work; 503 while it drains or
 * cannot), `/metrics` (Prometheus). Each service names its own variable and default.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Listen from "./Listen.ts"

const readiness = <R>(ready: Effect.Effect<boolean, never, R>) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const context = yield* Effect.context<R>()
      let draining = false
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          draining = true
        }),
      )
      const answer = Effect.suspend(() => (draining ? Effect.succeed(false) : ready)).pipe(
        Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.succeed(false) }),
        Effect.map((is) => HttpServerResponse.text(is ? "ready" : "not ready", { status: is ? 200 : 503 })),
        Effect.provideContext(context),
      )
      yield* router.add("GET", "/readyz", answer)
    }),
  )

export const routes = <R>(ready: Effect.Effect<boolean, never, R>) =>
  Layer.mergeAll(
    HttpRouter.add("GET", "/healthz", HttpServerResponse.text("ok")),
    readiness(ready),
    PrometheusMetrics.layerHttp(),
  )

export interface Options<R> {
  /** The variable that names the port. */
  readonly variable: string
  readonly port: number
  /** Whether the service can do its work now; not within a second counts as no. */
  readonly ready: Effect.Effect<boolean, never, R>
}

/** Listens on `OPS_HOST` (127.0.0.1), to the end: `/readyz` tells that the process drains. */
export const layer = <R>({ variable, port, ready }: Options<R>) =>
  Layer.unwrap(
    Effect.map(Listen.port(variable, port), (chosen) =>
      Listen.serve(routes(ready), { variable, port: chosen, host: "OPS_HOST", closesLast: true }),
    ),
  )
