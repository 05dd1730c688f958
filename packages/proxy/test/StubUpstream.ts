/** An upstream on a socket of its own that does what a test scripts, and counts by itself what it served. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"

export interface Received {
  readonly body: any
  readonly raw: Buffer
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Number of the request, from 0. */
  readonly index: number
}

export type Behaviour = (received: Received, response: ServerResponse) => void

export interface Counts {
  readonly prompt: number
  readonly completion: number
  readonly cached?: number
}

const usageJson = ({ prompt, completion, cached = 0 }: Counts) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
  cached_tokens: cached,
  prompt_tokens_details: { cached_tokens: cached },
})

const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
const chunk = (choices: unknown, more: object = {}) =>
  event({ id: "chatcmpl-stub", object: "chat.completion.chunk", created: 1, model: "kimi-k2.6", choices, ...more })

export const word = (index: number): string =>
  chunk([{ index: 0, delta: { content: `word${index} ` }, finish_reason: null }])

/** The end of a stream as Kimi K3 sends it: the same usage twice. */
export const finish = (counts: Counts): string =>
  chunk([{ index: 0, delta: {}, finish_reason: "stop", usage: usageJson(counts) }]) +
  chunk([], { usage: usageJson(counts) }) +
  "data: [DONE]\n\n"

const sse = { "content-type": "text/event-stream; charset=utf-8" }

/** A stream of `words`, one each `pauseMillis`, with the usage at its end. */
export const streaming =
  (counts: Counts, { words = 5, pauseMillis = 0 } = {}): Behaviour =>
  (_received, response) => {
    response.writeHead(200, sse)
    let sent = 0
    const next = () => {
      if (response.destroyed) return
      if (sent < words) {
        response.write(word(sent++))
        if (pauseMillis === 0) next()
        else setTimeout(next, pauseMillis)
      } else response.end(finish(counts))
    }
    next()
  }

/** A stream that is reset after some words. */
export const resetting =
  (words: number): Behaviour =>
  (_received, response) => {
    response.writeHead(200, sse)
    for (let sent = 0; sent < words; sent++) response.write(word(sent))
    setTimeout(() => response.socket?.resetAndDestroy(), 20)
  }

/** A stream that begins and then says nothing more. */
export const stalling =
  (words: number): Behaviour =>
  (_received, response) => {
    response.writeHead(200, sse)
    for (let sent = 0; sent < words; sent++) response.write(word(sent))
  }

export const answering =
  (counts: Counts, delayMillis = 0): Behaviour =>
  (_received, response) => {
    const body = JSON.stringify({
      id: "chatcmpl-stub",
      object: "chat.completion",
      created: 1,
      model: "kimi-k2.6",
      choices: [{ index: 0, message: { role: "assistant", content: "Hello there" }, finish_reason: "stop" }],
      usage: usageJson(counts),
    })
    setTimeout(() => {
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
      response.end(body)
    }, delayMillis)
  }

/** As the request asks: a stream or one piece. */
export const either =
  (counts: Counts, options?: { words?: number; pauseMillis?: number }): Behaviour =>
  (received, response) =>
    (received.body.stream === true ? streaming(counts, options) : answering(counts, options?.pauseMillis))(
      received,
      response,
    )

export const failing =
  (status: number, type: string, message: string, headers: Record<string, string> = {}): Behaviour =>
  (_received, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(JSON.stringify({ error: { type, message } }))
  }

export const html504: Behaviour = (_received, response) => {
  response.writeHead(504, { "content-type": "text/html" })
  response.end("<html><body><h1>504 Gateway Time-out</h1></body></html>")
}

/** One behaviour per request, the last one for all that follow. */
export const inTurn =
  (...behaviours: ReadonlyArray<Behaviour>): Behaviour =>
  (received, response) =>
    behaviours[Math.min(received.index, behaviours.length - 1)]?.(received, response)

export interface Stub {
  readonly baseUrl: string
  readonly received: ReadonlyArray<Received>
  /** Requests being answered now, and the most there ever were. */
  readonly load: { now: number; most: number }
}

export const start = (behaviour: Behaviour) =>
  Effect.acquireRelease(
    Effect.callback<Stub & { readonly stop: () => void }>((resume) => {
      const received: Array<Received> = []
      const load = { now: 0, most: 0 }
      const server = createServer((request, response) => {
        load.now++
        load.most = Math.max(load.most, load.now)
        response.on("close", () => load.now--)
        response.on("error", () => {})
        const chunks: Array<Buffer> = []
        request.on("error", () => {})
        request.on("data", (one: Buffer) => chunks.push(one))
        request.on("end", () => {
          const raw = Buffer.concat(chunks)
          const one = { raw, body: JSON.parse(raw.toString()), headers: request.headers, index: received.length }
          received.push(one)
          behaviour(one, response)
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const stop = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ baseUrl: `http://127.0.0.1:${port}/v1`, received, load, stop }))
      })
    }),
    (stub) => Effect.sync(stub.stop),
  )
