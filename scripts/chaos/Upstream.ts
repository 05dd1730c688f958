/**
 * An upstream that keeps its own count. It knows no customer: each call carries a mark in its message, and what was served
 * under a mark is remembered here, apart from everything that the proxies, Redis and Postgres believe.
 */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Usage } from "@berth/domain/Usage"
import * as Effect from "effect/Effect"
import { dice, type Dice } from "./Dice.ts"

/** One call as it was served. Times are epoch ms of this machine. */
export interface Served {
  readonly mark: string
  readonly begunAt: number
  /** What the answer says that it cost, once all of it has gone out. */
  usage: Usage | undefined
  /** When the last byte of a whole answer was handed to the network. */
  endedAt: number | undefined
  /** Bytes of text sent. */
  textBytes: number
}

export interface Upstream {
  /** With the version: `http://127.0.0.1:1234/v1`. */
  readonly url: string
  readonly served: ReadonlyArray<Served>
}

/** The mark as it stands in the user's message. */
export const markIn = (body: string): string => /\[\[([\w-]+)\]\]/.exec(body)?.[1] ?? ""

const reported = ({ prompt, cached, completion, reasoning }: Usage) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
  cached_tokens: cached,
  completion_tokens_details: { reasoning_tokens: reasoning },
})

const event = (choices: unknown, more: object = {}) =>
  `data: ${JSON.stringify({ id: "chatcmpl-chaos", object: "chat.completion.chunk", created: 1, model: "kimi-k2.6", choices, ...more })}\n\n`

const sse = { "content-type": "text/event-stream; charset=utf-8" }
const json = { "content-type": "application/json" }
const fault = (type: string) => JSON.stringify({ error: { message: "made up", type } })

interface Turn {
  readonly served: Served
  readonly luck: Dice
  readonly usage: Usage
  readonly words: number
  readonly pauseMillis: number
  readonly response: ServerResponse
}

/** Counts when all of it is out; what breaks off before is never counted. */
const end = ({ served, response, usage }: Turn, last: string) => {
  response.end(last, () => {
    served.usage = usage
    served.endedAt = Date.now()
  })
}

/** Says its words one after another, then goes on with `then`. */
const speak = (turn: Turn, words: number, then: () => void) => {
  const { served, response, pauseMillis } = turn
  let said = 0
  const next = () => {
    if (response.destroyed) return
    if (said === words) return then()
    const text = `word${said++} `
    served.textBytes += text.length
    response.write(event([{ index: 0, delta: { content: text }, finish_reason: null }]))
    setTimeout(next, pauseMillis)
  }
  next()
}

/** As Kimi K3 ends a stream: the same usage twice. */
const streamed = (turn: Turn) => {
  const usage = reported(turn.usage)
  turn.response.writeHead(200, sse)
  speak(turn, turn.words, () =>
    end(
      turn,
      `${event([{ index: 0, delta: {}, finish_reason: "stop", usage }])}${event([], { usage })}data: [DONE]\n\n`,
    ),
  )
}

const whole = (turn: Turn) => {
  const content = "word ".repeat(turn.words)
  turn.served.textBytes += content.length
  const choices = [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }]
  setTimeout(() => {
    if (turn.response.destroyed) return
    turn.response.writeHead(200, json)
    end(turn, JSON.stringify({ id: "chatcmpl-chaos", model: "kimi-k2.6", choices, usage: reported(turn.usage) }))
  }, turn.words * turn.pauseMillis)
}

/** Resets the connection after some words, its usage never told. */
const broken = (turn: Turn) => {
  turn.response.writeHead(200, sse)
  speak(turn, Math.ceil(turn.words / 2), () => turn.response.socket?.resetAndDestroy())
}

const refused = (turn: Turn) => {
  const [status, type] = turn.luck.pick([
    [429, "engine_overloaded_error"],
    [500, "server_error"],
    [503, "server_error"],
  ] as const)
  turn.response.writeHead(status, json).end(fault(type))
}

/** Listens until the scope closes. */
export const listen = Effect.fn("Upstream.listen")(function* (seed: number) {
  const served: Array<Served> = []
  const tries = new Map<string, number>()
  const answer = (body: string, response: ServerResponse) => {
    const mark = markIn(body)
    const attempt = (tries.get(mark) ?? 0) + 1
    tries.set(mark, attempt)
    const luck = dice(seed, `${mark}/${attempt}`)
    const most = Number(/"max_completion_tokens":(\d+)/.exec(body)?.[1] ?? 0)
    const prompt = luck.between(3, 12)
    const completion = luck.between(1, Math.max(1, most))
    const record: Served = { mark, begunAt: Date.now(), usage: undefined, endedAt: undefined, textBytes: 0 }
    served.push(record)
    const turn: Turn = {
      served: record,
      luck,
      usage: { prompt, cached: luck.chance(0.5) ? luck.between(0, prompt) : 0, completion, reasoning: 0 },
      words: luck.between(1, 12),
      pauseMillis: luck.between(1, 40),
      response,
    }
    if (luck.chance(0.06)) refused(turn)
    else if (luck.chance(0.02)) response.socket?.resetAndDestroy()
    else if (/"stream":true/.test(body)) (luck.chance(0.04) ? broken : streamed)(turn)
    else whole(turn)
  }
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      if (request.url?.endsWith("/chat/completions") === true) answer(Buffer.concat(chunks).toString(), response)
      else response.writeHead(404, json).end(fault("not_found"))
    })
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      }),
  )
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/v1`, served } satisfies Upstream
})
