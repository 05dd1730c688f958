/** What the proxy tells a collector of traces, and what it never tells anyone. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as Telemetry from "@berth/domain/Telemetry"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as World from "./World.ts"

/** A collector on a socket of its own, which keeps what it is sent. */
const collector = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly bodies: Array<string>; readonly stop: () => void }>((resume) => {
    const bodies: Array<string> = []
    const server = createServer((request, response) => {
      let body = ""
      request.on("data", (part) => {
        body += part
      })
      request.on("end", () => {
        bodies.push(body)
        response.end("{}")
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      const stop = () => void server.close()
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, bodies, stop }))
    })
  }),
  ({ stop }) => Effect.sync(stop),
)

const telemetry = (env: Record<string, string>) =>
  Telemetry.layer("token-proxy").pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env))))

interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: Readonly<Record<string, unknown>> }>
}

const spansIn = (bodies: ReadonlyArray<string>): ReadonlyArray<Span> =>
  bodies.flatMap((body) =>
    (JSON.parse(body).resourceSpans as ReadonlyArray<any>).flatMap((one) =>
      one.scopeSpans.flatMap((scope: any) => scope.spans as ReadonlyArray<Span>),
    ),
  )

const attribute = (span: Span, key: string) =>
  Object.values(span.attributes.find((one) => one.key === key)?.value ?? {})[0]

describe("traces", () => {
  it.live("join the client's trace, name each step, and hold neither token nor text", () =>
    Effect.gen(function* () {
      const { url, bodies } = yield* collector
      const alice = World.customer("trace-alice")
      const traceId = "0af7651916cd43dd8448eb211c80319c"
      const parent = "b7ad6b7169203331"
      const requestId = yield* Effect.scoped(
        Effect.gen(function* () {
          const world = yield* World.start({ customers: [alice] })
          const answer = yield* Effect.promise(() =>
            World.post(world, alice.token, World.chatBody({ stream: true }), {
              headers: {
                "content-type": "application/json",
                authorization: `Bearer ${alice.token}`,
                traceparent: `00-${traceId}-${parent}-01`,
              },
            }),
          )
          yield* Effect.promise(() => answer.text())
          yield* world.settled(alice)
          return answer.headers.get("x-request-id")
        }),
      ).pipe(Effect.provide(telemetry({ OTEL_EXPORTER_OTLP_ENDPOINT: url })))

      const spans = spansIn(bodies).filter((span) => span.traceId === traceId)
      const request = spans.find((span) => span.parentSpanId === parent)
      assert.isDefined(request)
      assert.strictEqual(request.name, "POST /v1/chat/completions")
      assert.strictEqual(Number(attribute(request, "http.response.status_code")), 200)
      assert.strictEqual(attribute(request, "berth.request_id"), requestId)
      assert.strictEqual(attribute(request, "berth.outcome"), "served")
      assert.strictEqual(attribute(request, "gen_ai.request.model"), "kimi-k2.6")
      const names = spans.map((span) => span.name)
      for (const step of ["Allowance.admit", "Forward.call", "Allowance.settle"]) assert.include(names, step)
      assert.notInclude(bodies.join(), alice.token)
      assert.notInclude(bodies.join(), World.upstreamKey)
      assert.notInclude(bodies.join(), "Hello")
    }),
  )

  it.live("that nobody collects cost the request nothing but themselves", () =>
    Effect.gen(function* () {
      const alice = World.customer("trace-bob")
      const status = yield* Effect.scoped(
        Effect.gen(function* () {
          const world = yield* World.start({ customers: [alice] })
          return (yield* World.chat(world, alice.token)).status
        }),
      ).pipe(Effect.provide(telemetry({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" })))
      assert.strictEqual(status, 200)
    }),
  )
})

describe("logs", () => {
  it.live("are lines of JSON in production", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const log = console.log
      console.log = (line: string) => void lines.push(line)
      yield* Effect.logError("the upstream refuses us", { reason: "key" }).pipe(
        Effect.annotateLogs("alert", "kimi-refuses-us"),
        Effect.provide(telemetry({ BERTH_ENV: "production" })),
        Effect.ensuring(
          Effect.sync(() => {
            console.log = log
          }),
        ),
      )
      const [line] = lines.map((one) => JSON.parse(one))
      assert.strictEqual(line.level, "ERROR")
      assert.strictEqual(line.annotations.alert, "kimi-refuses-us")
    }),
  )
})
