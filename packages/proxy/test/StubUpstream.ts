/** An upstream on a socket of its own that does what a test scripts, and counts by itself what it served. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
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

export const usageJson = ({ prompt, completion, cached = 0 }: Counts) => ({
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

/** A chunk as it comes from OpenAI-style servers that name the usage in each. */
export const wordWithNull = (index: number): string =>
  chunk([{ index: 0, delta: { content: `word${index} ` }, finish_reason: null }], { usage: null })

/** The first chunk of most streams: who speaks, and nothing said. */
export const role = chunk([{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }])

/** A reason to finish without any counts. */
export const finished = chunk([{ index: 0, delta: {}, finish_reason: "stop" }])

/** Counts where they may stand: with the finish, in a chunk of their own, or in the midst of the text. */
export const counted = {
  inChoice: (usage: unknown) => chunk([{ index: 0, delta: {}, finish_reason: "stop", usage }]),
  onTop: (usage: unknown) => chunk([], { usage }),
  withText: (usage: unknown, text = "and so on ") =>
    chunk([{ index: 0, delta: { content: text }, finish_reason: null }], { usage }),
} as const

/** An error told in the midst of a 200, as an event. */
export const errorEvent = (type: string, message: string): string => event({ error: { type, message } })

export const done = "data: [DONE]\n\n"

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

/** A whole answer as JSON. */
export const answer = (counts: Counts, content = "Hello there"): string =>
  JSON.stringify({
    id: "chatcmpl-stub",
    object: "chat.completion",
    created: 1,
    model: "kimi-k2.6",
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: usageJson(counts),
  })

export const answering =
  (counts: Counts, delayMillis = 0): Behaviour =>
  (_received, response) => {
    const body = answer(counts)
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

/** Says nothing at all. */
export const silent: Behaviour = () => {}

/** Takes the request and closes the connection, or resets it, without an answer. */
export const closing: Behaviour = (_received, response) => {
  response.socket?.end()
}
export const resettingAtOnce: Behaviour = (_received, response) => {
  response.socket?.resetAndDestroy()
}

/** Pieces one after the other, each in a packet of its own, then an end of the given kind. */
export const sending =
  (
    pieces: ReadonlyArray<string | Buffer>,
    {
      end = "end",
      headers = sse,
      pauseMillis = 0,
      status = 200,
    }: {
      readonly end?: "end" | "reset" | "stall"
      readonly headers?: Readonly<Record<string, string | number>>
      readonly pauseMillis?: number
      readonly status?: number
    } = {},
  ): Behaviour =>
  (_received, response) => {
    response.writeHead(status, { ...headers })
    response.flushHeaders()
    let sent = 0
    const next = (): void => {
      if (response.destroyed) return
      const piece = pieces[sent++]
      if (piece !== undefined) {
        response.write(piece, () => setTimeout(next, pauseMillis))
      } else if (end === "end") response.end()
      else if (end === "reset") setTimeout(() => response.socket?.resetAndDestroy(), 20)
    }
    next()
  }

/** Each byte by itself. */
export const dripping = (text: string, options?: Parameters<typeof sending>[1]): Behaviour =>
  sending(
    [...Buffer.from(text)].map((byte) => Buffer.of(byte)),
    options,
  )

/** JSON in one piece, with the right length. */
export const json =
  (body: string, status = 200, headers: Readonly<Record<string, string>> = {}): Behaviour =>
  (_received, response) => {
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      ...headers,
    })
    response.end(body)
  }

/** JSON that promises more bytes than come. */
export const truncated =
  (body: string, bytes: number): Behaviour =>
  (_received, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
    response.write(body.slice(0, bytes))
    setTimeout(() => response.socket?.end(), 20)
  }

/** Compressed, though plain was asked for. */
export const gzipped =
  (body: string, type: string): Behaviour =>
  (_received, response) => {
    response.writeHead(200, { "content-type": type, "content-encoding": "gzip" })
    response.end(gzipSync(body))
  }

/** Hints first, then the answer. */
export const hinting =
  (then: Behaviour): Behaviour =>
  (received, response) => {
    response.writeProcessing()
    response.writeEarlyHints({ link: "</style.css>; rel=preload" }, () => then(received, response))
  }

/** One behaviour per request, the last one for all that follow. */
export const inTurn =
  (...behaviours: ReadonlyArray<Behaviour>): Behaviour =>
  (received, response) =>
    behaviours[Math.min(received.index, behaviours.length - 1)]?.(received, response)

export interface Stub {
  readonly baseUrl: string
  /** What our account there holds; undefined: nobody says. */
  readonly account: { balance: number | undefined; asked: number }
  /** Nobody listens there from now on. */
  readonly stop: () => void
  readonly received: ReadonlyArray<Received>
  /** Requests being answered now, and the most there ever were. */
  readonly load: { now: number; most: number }
}

export const start = (behaviour: Behaviour) =>
  Effect.acquireRelease(
    Effect.callback<Stub>((resume) => {
      const received: Array<Received> = []
      const account = { balance: 100 as number | undefined, asked: 0 }
      const load = { now: 0, most: 0 }
      const server = createServer((request, response) => {
        if (request.method === "GET") {
          account.asked++
          const { balance } = account
          response.writeHead(balance === undefined ? 500 : 200, { "content-type": "application/json" })
          response.end(JSON.stringify({ code: 0, status: true, data: { available_balance: balance } }))
          return
        }
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
        resume(Effect.succeed({ baseUrl: `http://127.0.0.1:${port}/v1`, account, received, load, stop }))
      })
    }),
    (stub) => Effect.sync(stub.stop),
  )
