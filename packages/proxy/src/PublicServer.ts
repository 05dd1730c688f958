/**
 * The node:http server that customers reach, within bounds of time, headers, connections and pipelining. What Node would
 * answer in bare words of its own, or not at all, is answered as every other error is. Invariant: no answer of ours is
 * written into another one, nor before one that is still to come.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { keyOf } from "./ClientAddress.ts"
import { answerOf, bodyOf, HttpFault, RouteUnknown } from "./Errors.ts"

/** Header fields that a request may have. */
export const maxHeaders = 100
/** Bytes of a request's line and headers together. */
const headerBytes = 16 * 1024
/** Requests that one connection may have under way: HTTP allows a client to send them on ahead, but hardly any does. */
export const pipelined = 8
/** How long a client may take to read the answer after which its connection closes. */
const farewellMillis = 1_000

export interface Options {
  /** Connections in all; one address may have a quarter of them. */
  readonly connections?: number
  /** Told of each connection that was closed unheard, for being one too many. */
  readonly onDrop?: () => void
  /** How long a request's headers may take to arrive, and all of it. */
  readonly headerMillis?: number
  readonly requestMillis?: number
}

/** What is under way on one connection: the requests whose responses are not over. */
interface Exchanges {
  count: number
  last: { readonly request: IncomingMessage; readonly response: ServerResponse } | undefined
  /** What came after them is no HTTP: nothing more is heard, and this is said last. */
  fault: HttpFault | undefined
  /** It has been said already, in the place of an answer. */
  said: boolean
}

const key = Symbol("exchanges")

const exchangesOn = (socket: Duplex & { [key]?: Exchanges }): Exchanges =>
  (socket[key] ??= { count: 0, last: undefined, fault: undefined, said: false })

/** Whether a connection has more requests under way than it may. */
export const isOverfull = (socket: Duplex): boolean => exchangesOn(socket).count > pipelined

export const malformed = (message: string) => new HttpFault({ status: 400, code: "malformed_request", message })

/** What is said about an error of Node's parser or timers. */
const faultOf = (code: string | undefined): HttpFault => {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return new HttpFault({
        status: 431,
        code: "headers_too_large",
        message: `The request's line and headers are larger than ${headerBytes} bytes, the most that is accepted.`,
      })
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return new HttpFault({
        status: 413,
        code: "request_too_large",
        message: "The extensions of the request's chunks are too large.",
      })
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new HttpFault({
        status: 408,
        code: "request_timeout",
        message: "The request did not arrive in time.",
      })
    case "HPE_UNEXPECTED_CONTENT_LENGTH":
    case "HPE_INVALID_CONTENT_LENGTH":
    case "HPE_INVALID_TRANSFER_ENCODING":
      return malformed(
        "The length of the request is not clear: send one Content-Length, or Transfer-Encoding: chunked.",
      )
    default:
      return malformed("The request is not valid HTTP/1.1.")
  }
}

const render = (fault: HttpFault | RouteUnknown) => {
  const answer = answerOf(fault)
  const body = bodyOf(answer)
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  }
  return { status: answer.status, headers, body }
}

const respond = (response: ServerResponse, fault: HttpFault): void => {
  const { status, headers, body } = render(fault)
  response.writeHead(status, headers).end(body)
}

/** For a connection on which nothing is under way. */
const say = (socket: Duplex, fault: HttpFault | RouteUnknown): void => {
  const { status, headers, body } = render(fault)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  if (!socket.writable) return
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${body}`)
  const timer = setTimeout(() => socket.destroy(), farewellMillis)
  socket.once("close", () => clearTimeout(timer))
}

const onClientError = (error: NodeJS.ErrnoException, socket: Duplex): void => {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy()
    return
  }
  const on = exchangesOn(socket)
  if (on.fault !== undefined) return
  on.fault = faultOf(error.code)
  if (on.count === 0) {
    say(socket, on.fault)
    return
  }
  // The one under way is itself at fault, in its body: Node puts its answer after those that are still to come.
  const { request, response } = on.last ?? {}
  if (request?.complete !== false || response === undefined) return
  on.said = true
  if (response.headersSent) response.end()
  else respond(response, on.fault)
}

export const make = (options: Options = {}): Server => {
  const { connections = 10_000, onDrop = () => {}, headerMillis = 15_000, requestMillis = 60_000 } = options
  const server = createServer({
    maxHeaderSize: headerBytes,
    headersTimeout: headerMillis,
    requestTimeout: requestMillis,
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: headerMillis / 3,
    noDelay: true,
    // A missing Host is refused by the front door, in words.
    requireHostHeader: false,
    // There is nothing to upgrade to: such a request is served as if it had not asked.
    shouldUpgradeCallback: () => false,
  })
  // Node drops what is beyond without a word, so one more is let in, for the front door to see.
  server.maxHeadersCount = maxHeaders + 1
  server.maxConnections = connections
  server.on("drop", onDrop)

  const perAddress = new Map<string, number>()
  server.on("connection", (socket: Socket) => {
    const address = keyOf(socket.remoteAddress)
    const count = (perAddress.get(address) ?? 0) + 1
    if (count > connections / 4) {
      onDrop()
      socket.destroy()
      return
    }
    perAddress.set(address, count)
    socket.once("close", () => {
      const left = (perAddress.get(address) ?? 1) - 1
      if (left === 0) perAddress.delete(address)
      else perAddress.set(address, left)
    })
  })

  const open = new Set<ServerResponse>()
  let draining = false
  const track = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const on = exchangesOn(socket)
    on.count++
    on.last = { request, response }
    open.add(response)
    response.once("close", () => {
      open.delete(response)
      if (--on.count > 0) return
      on.last = undefined
      if (on.fault !== undefined && !on.said) say(socket, on.fault)
    })
    if (draining) response.setHeader("connection", "close")
  }
  server.on("request", track)
  server.on("checkContinue", track)
  server.on("checkExpectation", (_request, response) => {
    const message = "Only `Expect: 100-continue` is understood."
    respond(response, new HttpFault({ status: 417, code: "expectation_failed", message }))
  })
  server.on("connect", (request: IncomingMessage, socket: Duplex) => {
    say(socket, new RouteUnknown({ method: "CONNECT", path: request.url ?? "" }))
  })
  server.on("clientError", onClientError)

  // Node closes idle connections once, when it stops listening; one that falls idle later would hold up the shutdown.
  const close = server.close.bind(server)
  server.close = (done) => {
    draining = true
    for (const response of open) if (!response.headersSent) response.setHeader("connection", "close")
    const timer = setInterval(() => server.closeIdleConnections(), 50)
    server.once("close", () => clearInterval(timer))
    return close(done)
  }
  return server
}
