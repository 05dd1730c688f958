/**
 * What every request passes first and every answer last, whatever the route: faults of HTTP itself that Node's parser lets
 * through are refused, nothing leaves without words of ours and a request id, and a refusal can be read even by a client
 * that is still sending. Invariant: what goes wrong inside is told as 500, without a word of what it was.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { RequestId } from "@berth/domain/Ids"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServerError from "effect/http/HttpServerError"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import { HttpFault, InternalFault, RouteUnknown } from "./Errors.ts"
import { isOverfull, malformed, maxHeaders, pipelined } from "./PublicServer.ts"
import { refuse } from "./Refuse.ts"

/** Which of the names that may stand once is there twice: a proxy before us may have read the other one. */
const repeatedIn = (rawHeaders: ReadonlyArray<string>): string | undefined => {
  let hosts = 0
  let tokens = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    if (name.length === 4 && name.toLowerCase() === "host") hosts++
    else if (name.length === 13 && name.toLowerCase() === "authorization") tokens++
  }
  return hosts > 1 ? "Host" : tokens > 1 ? "Authorization" : undefined
}

/** What is wrong with a request, whatever it asks for. PURE. */
export const faultOf = (
  incoming: Pick<IncomingMessage, "headers" | "rawHeaders" | "httpVersionMajor" | "httpVersionMinor">,
): HttpFault | undefined => {
  const { headers, rawHeaders, httpVersionMajor, httpVersionMinor } = incoming
  if (httpVersionMajor !== 1 || httpVersionMinor > 1) {
    return new HttpFault({ status: 505, code: "http_version_not_supported", message: "Use HTTP/1.1." })
  }
  if (rawHeaders.length > 2 * maxHeaders) {
    const message = `At most ${maxHeaders} header fields are accepted.`
    return new HttpFault({ status: 431, code: "headers_too_large", message })
  }
  if (httpVersionMinor === 1 && headers.host === undefined) return malformed("The Host header is missing.")
  const repeated = repeatedIn(rawHeaders)
  if (repeated !== undefined) return malformed(`The ${repeated} header is given twice.`)
  // Chunked alone, and only where HTTP knows it: with anything else two readers may see two bodies.
  const coding = headers["transfer-encoding"]
  return coding !== undefined && (coding.toLowerCase() !== "chunked" || httpVersionMinor === 0)
    ? malformed("The only Transfer-Encoding that is accepted is chunked, in HTTP/1.1.")
    : undefined
}

const tooManyPipelined = new HttpFault({
  status: 429,
  code: "too_many_pipelined",
  message: `At most ${pipelined} requests may be under way on one connection.`,
})

/** How long a client that was refused may go on sending before the connection closes. */
const lingerMillis = 5_000

/** Bytes of a request's body; infinite if it does not say. */
const lengthOf = ({ headers }: IncomingMessage): number =>
  headers["transfer-encoding"] === undefined ? Number(headers["content-length"] ?? 0) : Number.POSITIVE_INFINITY

/** Answers at once, then takes in and drops what is still on its way, up to `bytes`, so that the answer comes to be read. */
const linger = (incoming: IncomingMessage, outgoing: ServerResponse, response: HttpServerResponse, bytes: number) =>
  Effect.callback<void>((resume) => {
    const body = response.body._tag === "Uint8Array" ? response.body.body : new Uint8Array()
    if (!(lengthOf(incoming) <= bytes)) outgoing.setHeader("connection", "close")
    outgoing.writeHead(response.status, { ...response.headers, "content-length": body.length })
    outgoing.write(body)
    let seen = 0
    const onData = (chunk: Buffer) => {
      seen += chunk.length
      if (seen > bytes) done()
    }
    const stop = () => {
      clearTimeout(timer)
      incoming.off("data", onData).off("end", done).off("error", done)
      outgoing.off("close", done)
    }
    const done = () => {
      stop()
      outgoing.end()
      resume(Effect.void)
    }
    const timer = setTimeout(done, lingerMillis)
    // A request that is not over when its response is tells nothing more, so it is the response that is listened to.
    outgoing.on("close", done)
    incoming.on("data", onData).on("end", done).on("error", done).resume()
    return Effect.sync(stop)
  })

/** A path as it may be repeated: without its query, and without what may be a key. */
const repeatable = (url: string): string => url.replace(/\?[^]*/, "").replace(/(?:bth_|sk-)[\w-]+/g, "…")

const isUnrouted = (cause: Cause.Cause<unknown>): boolean => {
  const error = Cause.squash(cause)
  return HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
}

export interface Options {
  readonly nextId: () => RequestId
  /** Bytes that a refused client may still send. */
  readonly lingerBytes: number
}

type Handler = Effect.Effect<HttpServerResponse, unknown, HttpServerRequest>

/** Global middleware of the router. */
export const make =
  ({ nextId, lingerBytes }: Options) =>
  (handler: Handler): Handler =>
    Effect.withFiber((fiber) => {
      const request = Context.getUnsafe(fiber.context, HttpServerRequest)
      const incoming = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
      const outgoing = NodeHttpServerRequest.toServerResponse(request) as ServerResponse

      const send = (response: HttpServerResponse): Effect.Effect<HttpServerResponse> => {
        if (outgoing.headersSent) return Effect.succeed(response)
        if (!outgoing.hasHeader("x-request-id")) outgoing.setHeader("x-request-id", nextId())
        // A client that asks before it sends has sent nothing yet, and need not.
        const isSending = !incoming.complete && lengthOf(incoming) > 0 && incoming.headers.expect === undefined
        return isSending
          ? Effect.as(linger(incoming, outgoing, response, lingerBytes), response)
          : Effect.succeed(response)
      }
      const fault = faultOf(incoming) ?? (isOverfull(incoming.socket) ? tooManyPipelined : undefined)
      if (fault !== undefined) {
        outgoing.setHeader("connection", "close")
        return Effect.flatMap(refuse(fault), send)
      }
      return Effect.matchCauseEffect(handler, {
        onSuccess: send,
        onFailure: (cause) => {
          if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
          if (isUnrouted(cause)) {
            const unknown = new RouteUnknown({ method: request.method, path: repeatable(request.url) })
            return Effect.flatMap(refuse(unknown), send)
          }
          const told = Effect.flatMap(refuse(new InternalFault()), send)
          return Effect.andThen(Effect.logError("a request failed within", cause), told)
        },
      })
    })
