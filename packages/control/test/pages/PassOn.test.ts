import { NodeHttpClient, NodeHttpServer, NodeSocket } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  HttpClient,
  HttpClientRequest,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse,
} from "effect/http"
import { Socket } from "effect/socket"
import { createServer } from "node:http"
import * as PassOn from "../../src/pages/PassOn.ts"

/** Answers with what it was asked, sets a cookie, and greets on a WebSocket. */
const echo = (name: string) =>
  Layer.mergeAll(
    HttpRouter.add("*", "/*", (request) =>
      Effect.gen(function* () {
        const body = yield* request.text
        return HttpServerResponse.jsonUnsafe(
          { name, url: request.url, body, cookie: request.headers["cookie"] },
          { status: 201 },
        ).pipe(HttpServerResponse.setCookieUnsafe("berth_session", "s1", { httpOnly: true }))
      }),
    ),
    HttpRouter.add(
      "GET",
      "/api/events",
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const socket = yield* request.upgrade
        const { pull } = yield* socket.reader
        const { write } = yield* socket.writer
        yield* write(`${request.url} ${request.headers["cookie"]}`)
        yield* Effect.ignore(Effect.forever(pull))
        return HttpServerResponse.empty()
      }).pipe(Effect.scoped),
    ),
  )

/** Serves on a free port and tells where. */
const serve = <E, R>(routes: Layer.Layer<never, E, R>) =>
  Effect.gen(function* () {
    const server = yield* Layer.build(
      HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
      ),
    )
    const { address } = Context.get(server, HttpServer.HttpServer)
    return new URL(`http://127.0.0.1:${address._tag === "UnixPathAddress" ? 0 : address.port}`)
  })

it.live("passes calls and events on, each to the service whose it is, with cookies both ways", () =>
  Effect.gen(function* () {
    const api = yield* serve(echo("api"))
    const onboarding = yield* serve(echo("onboarding"))
    const billing = yield* serve(echo("billing"))
    const web = yield* serve(PassOn.layer({ api, onboarding, billing }))

    const call = (path: string, text: string) =>
      HttpClientRequest.post(new URL(path, web)).pipe(
        HttpClientRequest.setHeader("cookie", "berth_session=s0"),
        HttpClientRequest.bodyText(text),
        HttpClient.execute,
      )
    const session = yield* call("/api/session?x=1", "hello")
    assert.strictEqual(session.status, 201)
    assert.match(session.headers["set-cookie"] ?? "", /^berth_session=s1; HttpOnly$/)
    assert.deepStrictEqual(yield* session.json, {
      name: "api",
      url: "/api/session?x=1",
      body: "hello",
      cookie: "berth_session=s0",
    })
    const chat = yield* call("/api/conversations/c/messages", "hi")
    assert.propertyVal(yield* chat.json, "name", "onboarding")
    const paid = yield* call("/webhooks/stripe", "{}")
    assert.propertyVal(yield* paid.json, "name", "billing")

    const socket = yield* Socket.makeWebSocket(`ws://${web.host}/api/events?after=7`, {
      headers: { cookie: "berth_session=s0" },
    })
    const pull = yield* Socket.readerString(socket)
    assert.deepStrictEqual([...(yield* pull)], ["/api/events?after=7 berth_session=s0"])
  }).pipe(Effect.scoped, Effect.provide([NodeHttpClient.layerUndici, NodeSocket.layerWebSocketConstructor])),
)

it.live("says that a service does not answer, with 502", () =>
  Effect.gen(function* () {
    const nobody = new URL("http://127.0.0.1:1")
    const web = yield* serve(PassOn.layer({ api: nobody, onboarding: nobody, billing: nobody }))
    assert.strictEqual((yield* HttpClient.get(new URL("/api/agent", web))).status, 502)
  }).pipe(Effect.scoped, Effect.provide([NodeHttpClient.layerUndici, NodeSocket.layerWebSocketConstructor])),
)
