/**
 * How every server of Berth opens its port: on `HOST` (127.0.0.1) unless it says otherwise. A port that cannot be opened ends
 * the start with one line that names the variable to change.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import { Refused } from "./Launch.ts"

/** The port that a variable names. */
export const port = (variable: string, byDefault: number): Config.Config<number> =>
  Config.Port(variable).pipe(Config.withDefault(byDefault))

export interface Options {
  /** The variable that `port` was read from. */
  readonly variable: string
  readonly port: number
  /** The variable that names the address to bind; `HOST`. */
  readonly host?: string
  readonly server?: () => Server
  /** How long what is open may go on when the process is told to stop. */
  readonly drain?: Duration.Input
  /** Goes on answering while the rest drains, and closes last. */
  readonly closesLast?: boolean
}

/** What to do about a port that does not open, or undefined when the system's word is all there is. */
export const refusal = (code: unknown, at: { variable: string; port: number; host: string; address: string }) => {
  const { variable, port, host, address } = at
  switch (code) {
    case "EADDRINUSE":
      return `Port ${port} is busy: stop the program that listens on it, or set ${variable} to another.`
    case "EACCES":
      return `Port ${port} may not be opened by this user: set ${variable} to one above 1023.`
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host}=${address} is no address of this machine: set it to 127.0.0.1, or 0.0.0.0 for all.`
    default:
      return undefined
  }
}

/**
 * A port is open before its routes are there. Node gives a request of that moment to nobody, and its client would wait for
 * ever: here it waits for the routes.
 */
const holdEarly = (server: Server): Server => {
  const early: Array<readonly [IncomingMessage, ServerResponse]> = []
  const keep = (request: IncomingMessage, response: ServerResponse) => early.push([request, response])
  const onListener = (event: string, serve: (request: IncomingMessage, response: ServerResponse) => void) => {
    if (event !== "request") return
    server.off("request", keep)
    server.off("newListener", onListener)
    for (const [request, response] of early) if (!request.socket.destroyed) serve(request, response)
  }
  server.on("request", keep)
  server.on("newListener", onListener)
  return server
}

export const layer = (options: Options) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { variable, port, host = "HOST", server = createServer, drain = "5 seconds" } = options
      const address = yield* Config.String(host).pipe(Config.withDefault("127.0.0.1"))
      return NodeHttpServer.layer(() => holdEarly(server()), {
        port,
        host: address,
        gracefulShutdownTimeout: drain,
        disablePreemptiveShutdown: options.closesLast ?? false,
      }).pipe(
        Layer.catchTag("ServeError", (error) => {
          const code = Predicate.hasProperty(error.cause, "code") ? error.cause.code : undefined
          const message = refusal(code, { variable, port, host, address })
          return Layer.effectContext(Effect.fail(message === undefined ? error : new Refused({ message })))
        }),
      )
    }),
  )

/** Serves routes on a port of their own. The request logger is off: it costs more than most requests. */
export const serve = <A, E, R>(routes: Layer.Layer<A, E, R>, options: Options) =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(Layer.provide(layer(options)))
