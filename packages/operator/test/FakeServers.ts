/** Small HTTP servers that stand for Telegram and the token-proxy, and keep what they were asked. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"

const textOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks).toString("utf8")
}

/** The origin of a server that lives as long as the scope. */
export const serve = (listener: (request: IncomingMessage, response: ServerResponse, body: string) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ origin: string; close: () => void }>((resume) => {
      const server = createServer((request, response) => {
        textOf(request).then(
          (body) => listener(request, response, body),
          () => response.destroy(),
        )
      })
      server.listen(0, "127.0.0.1", () => {
        const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
        const close = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ origin, close }))
      })
    }),
    ({ close }) => Effect.sync(close),
  ).pipe(Effect.map(({ origin }) => origin))

export interface Sent {
  readonly chat_id: number
  readonly text: string
  readonly parse_mode: string
}

/** A Bot API for one bot: `say` is what people write, `sent` what the bot answers. */
export const fakeTelegram = Effect.gen(function* () {
  const updates: Array<Record<string, unknown>> = []
  /** Updates before this one were taken: Telegram forgets what a poll asks no more for. */
  let confirmed = 0
  const sent: Array<Sent> = []
  const calls: Array<string> = []
  /** What it answers to every call; 200 is well. */
  const mood = { status: 200 }
  const origin = yield* serve((request, response, body) => {
    const [, bot = "", method = ""] = /^\/bot([^/]+)\/(\w+)$/.exec(request.url ?? "") ?? []
    calls.push(`${bot} ${method}`)
    const asked = JSON.parse(body === "" ? "{}" : body) as Record<string, unknown>
    if (mood.status !== 200) {
      response.statusCode = mood.status
      return void response.end(JSON.stringify({ ok: false, error_code: mood.status, description: "no" }))
    }
    const answer = (result: unknown) => {
      response.setHeader("content-type", "application/json")
      response.end(JSON.stringify({ ok: true, result }))
    }
    if (method === "sendMessage") sent.push(asked as unknown as Sent)
    if (method !== "getUpdates") return answer(true)
    confirmed = Math.max(confirmed, Number(asked.offset))
    const poll = (left: number): void => {
      const due = updates.filter((update) => Number(update.update_id) >= confirmed)
      if (due.length > 0 || left === 0) answer(due)
      else setTimeout(() => poll(left - 1), 10)
    }
    poll(50)
  })
  const say = (from: number, text: string) =>
    updates.push({
      update_id: updates.length + 1,
      message: {
        message_id: updates.length + 1,
        from: { id: from, is_bot: false },
        chat: { id: from, type: "private" },
        text,
      },
    })
  const unread = () => updates.filter((update) => Number(update.update_id) >= confirmed).length
  return { origin, say, sent, calls, mood, unread }
})

export interface Asked {
  readonly headers: IncomingMessage["headers"]
  readonly bytes: number
  readonly body: {
    readonly model: string
    readonly stream: boolean
    readonly stream_options: unknown
    readonly max_completion_tokens: number
    readonly tools: ReadonlyArray<unknown>
    readonly messages: ReadonlyArray<{ readonly role: string; readonly content: string }>
  }
}

export type ProxyAnswer =
  | { readonly reply: string }
  | { readonly cutOff: string }
  | {
      readonly status: number
      readonly error: { readonly code: string; readonly message: string }
      readonly retryAfter?: number
    }

/** A token-proxy that answers by a script; once it is used up, it says how many messages it was sent. */
export const fakeProxy = (script: ReadonlyArray<ProxyAnswer> = []) =>
  Effect.gen(function* () {
    const asked: Array<Asked> = []
    const origin = yield* serve((request, response, text) => {
      const body = JSON.parse(text) as Asked["body"]
      const answer = script[asked.length] ?? { reply: `seen ${body.messages.length} messages` }
      asked.push({ headers: request.headers, bytes: Buffer.byteLength(text), body })
      if (request.url !== "/v1/chat/completions") response.statusCode = 404
      if ("error" in answer) {
        response.statusCode = answer.status
        if (answer.retryAfter !== undefined) response.setHeader("retry-after", String(answer.retryAfter))
        response.end(JSON.stringify({ error: { ...answer.error, type: answer.error.code } }))
        return
      }
      response.setHeader("content-type", "text/event-stream")
      const chunk = (delta: object, finish: string | null) =>
        `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
      const words = "reply" in answer ? answer.reply : answer.cutOff
      for (const word of words.split(/(?<= )/)) response.write(chunk({ content: word }, null))
      if ("reply" in answer) {
        response.write(chunk({}, "stop"))
        response.write('data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n')
        response.write("data: [DONE]\n\n")
      }
      response.end()
    })
    return { origin, asked }
  })
