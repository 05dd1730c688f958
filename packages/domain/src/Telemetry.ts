/**
 * What a service tells of itself besides its metrics: logs, as lines of JSON in production; and traces by OTLP, where a
 * collector is given. A request that brings a W3C `traceparent` is a span of that trace. On a collector away: spans are
 * dropped, and requests go on. Headers never enter a span, since they hold tokens.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Embedded from "./Embedded.ts"

/** What asks all the time and says nothing. */
const quiet = new Set(["/healthz", "/readyz", "/metrics"])

/** A span's name: the method and the path, whose ids are left out, so that names stay few. PURE. */
export const nameOf = (method: string, url: string): string =>
  `${method} ${url.replace(/\?.*/, "").replace(/\/[^/]*\d[^/]*(?=\/|$)/g, (part) => (/^\/v\d$/.test(part) ? part : "/:id"))}`

const traces = (endpoint: URL, serviceName: string) => {
  const url = new URL(endpoint)
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/v1/traces`
  return OtlpTracer.layer({ url: url.href, resource: { serviceName } }).pipe(
    Layer.provide([OtlpExporter.layerFlusher, OtlpSerialization.layerJson, FetchHttpClient.layer]),
    Layer.merge(Layer.succeed(HttpMiddleware.TracerDisabledWhen)(({ url }) => quiet.has(url))),
    Layer.merge(Layer.succeed(HttpMiddleware.SpanNameGenerator)(({ method, url }) => nameOf(method, url))),
  )
}

/**
 * `OTEL_EXPORTER_OTLP_ENDPOINT`: a collector that takes OTLP over HTTP. `LOG_FORMAT`: `json`, which production defaults to,
 * or `text`.
 */
export const layer = (serviceName: string): Layer.Layer<never, Config.ConfigError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const isProduction = (yield* Embedded.environment) === "production"
      const format = yield* Config.Literals(["json", "text"], "LOG_FORMAT").pipe(
        Config.withDefault(isProduction ? ("json" as const) : ("text" as const)),
      )
      const endpoint = yield* Config.option(Config.URL("OTEL_EXPORTER_OTLP_ENDPOINT"))
      return Layer.mergeAll(
        format === "json" ? Logger.layer([Logger.consoleJson, Logger.tracerLogger]) : Layer.empty,
        Option.match(endpoint, {
          onSome: (url) => traces(url, serviceName),
          // Spans that nobody reads are still paid for; on a developer's machine they name the steps of a failure.
          onNone: () => (isProduction ? Layer.succeed(References.TracerEnabled)(false) : Layer.empty),
        }),
      )
    }),
  )
