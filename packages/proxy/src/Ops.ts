/** The port that no Ingress reaches: live, ready, metrics. Ready means that requests can be admitted: the store answers. */
import { createServer } from "node:http"
import { Allowance } from "@berth/domain/Allowance"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { ServeError } from "effect/http/HttpServerError"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"

const readiness = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const allowance = yield* Allowance
    let draining = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        draining = true
      }),
    )
    // Any lookup will do: what matters is that the store answers.
    const probe = allowance
      .customerOf("readiness")
      .pipe(Effect.timeout("1 second"), Effect.match({ onSuccess: () => true, onFailure: () => false }))
    yield* router.add(
      "GET",
      "/readyz",
      Effect.suspend(() => (draining ? Effect.succeed(false) : probe)).pipe(
        Effect.map((ready) => HttpServerResponse.text(ready ? "ready" : "not ready", { status: ready ? 200 : 503 })),
      ),
    )
  }),
)

export const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/healthz", HttpServerResponse.text("ok")),
  readiness,
  PrometheusMetrics.layerHttp(),
)

/** `PROXY_OPS_PORT` (9090) on `PROXY_HOST` (127.0.0.1). */
export const layer: Layer.Layer<never, ServeError | Config.ConfigError, Allowance> = HttpRouter.serve(routes, {
  disableLogger: true,
  disableListenLog: true,
}).pipe(
  Layer.provide(
    NodeHttpServer.layerConfig(createServer, {
      port: Config.Port("PROXY_OPS_PORT").pipe(Config.withDefault(9090)),
      host: Config.String("PROXY_HOST").pipe(Config.withDefault("127.0.0.1")),
      disablePreemptiveShutdown: Config.succeed(true),
    }),
  ),
)
