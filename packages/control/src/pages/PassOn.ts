/**
 * Passes what is not a page on to the services behind it, for a web service that runs without an Ingress: bodies stream
 * through, the WebSocket of events too. An unreachable service gets 502, never a page.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  Headers,
  HttpBody,
  HttpClient,
  HttpClientRequest,
  type HttpMethod,
  HttpRouter,
  type HttpServerRequest,
  HttpServerResponse,
} from "effect/http"
import { Socket } from "effect/socket"

const prefixes = ["/api", "/webhooks", "/dev", "/docs", "/openapi.json"] as const
/** Where the services are. */
export interface Behind {
  readonly api: URL
  readonly onboarding: URL
  readonly billing: URL
}

const onboardingPaths = /^\/(?:api\/conversations|webhooks\/telegram|dev\/telegram)(?:[/?]|$)/
const billingPaths = /^\/(?:webhooks\/stripe|dev\/mail)(?:[/?]|$)/

const ownerOf = (url: string, { api, onboarding, billing }: Behind): URL =>
  onboardingPaths.test(url) ? onboarding : billingPaths.test(url) ? billing : api

/** Belong to one connection, or are set anew by whoever sends. */
const hopByHop = ["connection", "keep-alive", "transfer-encoding", "upgrade", "host", "content-length", "expect", "te"]

const passHttp = Effect.fn("PassOn.http")(function* (request: HttpServerRequest.HttpServerRequest, to: URL) {
  const hasBody = request.method !== "GET" && request.method !== "HEAD"
  const type = request.headers["content-type"]
  // A method of the router is a method of the client.
  const sent = HttpClientRequest.make(request.method as HttpMethod.HttpMethod)(to, {
    headers: Headers.removeMany(request.headers, hopByHop),
    ...(hasBody ? { body: HttpBody.stream(request.stream, type) } : {}),
  })
  const response = yield* HttpClient.execute(sent)
  return HttpServerResponse.stream(response.stream, {
    status: response.status,
    // The client has decoded the body already.
    headers: Headers.removeMany(response.headers, [...hopByHop, "content-encoding", "content-type", "set-cookie"]),
    contentType: response.headers["content-type"] ?? "application/octet-stream",
  }).pipe(HttpServerResponse.mergeCookies(response.cookies))
})

/** Events flow one way, from the service to the browser; what the browser sends is only read to see it leave. */
const passSocket = Effect.fn("PassOn.socket")(function* (request: HttpServerRequest.HttpServerRequest, to: URL) {
  const { cookie, authorization, origin } = request.headers
  const headers = Object.fromEntries(
    Object.entries({ cookie, authorization, origin }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  )
  const upstream = yield* Socket.makeWebSocket(to.href.replace(/^http/, "ws"), { headers })
  const events = yield* upstream.reader
  const socket = yield* request.upgrade
  const browser = yield* socket.reader
  const { writeAll } = yield* socket.writer
  yield* Effect.raceFirst(Effect.forever(Effect.flatMap(events.pull, writeAll)), Effect.forever(browser.pull)).pipe(
    Effect.ignore,
  )
  return HttpServerResponse.empty()
}, Effect.scoped)

type Needs = HttpClient.HttpClient | Socket.WebSocketConstructor

export const layer = (behind: Behind) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const context = yield* Effect.context<Needs>()
      const pass = (request: HttpServerRequest.HttpServerRequest) => {
        const to = new URL(request.url, ownerOf(request.url, behind))
        const isSocket = request.headers["upgrade"]?.toLowerCase() === "websocket"
        const passed: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Needs> = isSocket
          ? passSocket(request, to)
          : passHttp(request, to)
        return passed.pipe(
          Effect.provideContext(context),
          Effect.catch(() => Effect.succeed(HttpServerResponse.text("The service does not answer\n", { status: 502 }))),
        )
      }
      for (const prefix of prefixes) yield* router.add("*", `${prefix}/*`, pass)
    }),
  )
