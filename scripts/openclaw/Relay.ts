/**
 * Stands between OpenClaw and the proxy and writes down what passes: what was asked, how often, and what came back. It
 * passes bytes on as they come and breaks where the proxy breaks. A row may let it change a request, or answer in the
 * proxy's place, to show what an answer that the proxy never gives would do.
 */
import {
  type IncomingHttpHeaders,
  createServer,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"

export interface Exchange {
  /** Epoch ms. */
  readonly at: number
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** W3C trace id; empty when there was none. */
  readonly traceId: string
  /** Undefined until an answer begins. */
  status: number | undefined
  answerHeaders: IncomingHttpHeaders
  /** Of an error answer. */
  answer: string
  /** Whether the answer ended as HTTP wants it, or said that it was done. */
  whole: boolean
}

export interface Asked {
  readonly headers: OutgoingHttpHeaders
  readonly body: Buffer
}

export interface Instead {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Relay {
  readonly url: string
  readonly exchanges: ReadonlyArray<Exchange>
  /** What a row does to requests on their way; undefined: nothing. */
  change: ((asked: Asked) => Asked) | undefined
  /** The status and body to answer with instead of the proxy; undefined: the proxy does. */
  instead: Instead | undefined
}

/** Hop by hop, or wrong once the body has another length. */
const dropped = ["connection", "keep-alive", "transfer-encoding", "content-length", "host"]

const traceIdOf = (header: unknown): string =>
  typeof header === "string" ? (/^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(header)?.[1] ?? "") : ""

export const start = (proxyUrl: string) =>
  Effect.acquireRelease(
    Effect.callback<Relay & { readonly stop: () => void }>((resume) => {
      const exchanges: Array<Exchange> = []
      const target = new URL(proxyUrl)
      const pass = (exchange: Exchange, response: ServerResponse) => {
        const headers: OutgoingHttpHeaders = { ...exchange.headers }
        for (const name of dropped) delete headers[name]
        const asked = relay.change?.({ headers, body: exchange.body }) ?? { headers, body: exchange.body }
        const out = request({
          host: target.hostname,
          port: target.port,
          method: exchange.method,
          path: exchange.path,
          headers: { ...asked.headers, "content-length": asked.body.length },
          agent: false,
        })
        out.on("response", (answer) => {
          exchange.status = answer.statusCode
          exchange.answerHeaders = answer.headers
          const back: OutgoingHttpHeaders = { ...answer.headers }
          for (const name of ["connection", "keep-alive", "transfer-encoding"]) delete back[name]
          response.writeHead(answer.statusCode ?? 502, back)
          answer.on("data", (chunk: Buffer) => {
            if (answer.statusCode !== 200) exchange.answer += chunk.toString()
            // OpenClaw may leave as soon as it has heard this.
            if (chunk.includes("[DONE]")) exchange.whole = true
            response.write(chunk)
          })
          answer.on("end", () => {
            exchange.whole = true
            response.end()
          })
          answer.on("error", () => response.destroy())
        })
        out.on("error", () => response.destroy())
        response.on("close", () => out.destroy())
        out.end(asked.body)
      }
      const server = createServer((incoming, response) => {
        response.on("error", () => {})
        const chunks: Array<Buffer> = []
        incoming.on("error", () => {})
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
        incoming.on("end", () => {
          const exchange: Exchange = {
            at: Date.now(),
            method: incoming.method ?? "",
            path: incoming.url ?? "",
            headers: incoming.headers,
            body: Buffer.concat(chunks),
            traceId: traceIdOf(incoming.headers["traceparent"]),
            status: undefined,
            answerHeaders: {},
            answer: "",
            whole: false,
          }
          // Before a scheduled turn OpenClaw looks whether anyone is there, by a GET.
          if (exchange.method === "POST") exchanges.push(exchange)
          if (relay.instead === undefined) pass(exchange, response)
          else {
            const { status, headers, body } = relay.instead
            Object.assign(exchange, { status, answer: body, whole: true })
            response.writeHead(status, { "content-type": "application/json", ...headers }).end(body)
          }
        })
      })
      const relay: Relay & { readonly stop: () => void } = {
        url: "",
        exchanges,
        change: undefined,
        instead: undefined,
        stop: () => {
          server.closeAllConnections()
          server.close()
        },
      }
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed(Object.assign(relay, { url: `http://127.0.0.1:${port}` })))
      })
    }),
    (relay) => Effect.sync(relay.stop),
  )
