/**
 * Stands in for Kimi: it streams answers that follow from what it was sent, so that what an agent remembers can be read from
 * what it says, and reports what it used. It counts every call by itself.
 */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"

export interface Call {
  /** Epoch ms. */
  readonly at: number
  /** What the person last said. */
  readonly asked: string
}

export interface Kimi {
  readonly port: number
  readonly calls: ReadonlyArray<Call>
  /** Added to what the next answer reports as its prompt; 0 again after it. */
  surcharge: number
}

interface Message {
  readonly role: string
  readonly content: unknown
}

const textOf = (content: unknown): string =>
  typeof content === "string"
    ? content
    : Array.isArray(content)
      ? content.map((part: { text?: unknown }) => (typeof part.text === "string" ? part.text : "")).join("\n")
      : ""

/** What the person said, message by message: OpenClaw puts contexts of its own into the user's mouth too. */
const saidIn = (messages: ReadonlyArray<Message>): ReadonlyArray<string> =>
  messages
    .filter(({ role }) => role === "user")
    .map(({ content }) => textOf(content))
    .filter((text) => !text.startsWith("<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>"))

/** What is said to "What is my cat called?", out of all that was said before. */
export const answerTo = (messages: ReadonlyArray<Message>): string => {
  const said = saidIn(messages)
  const last = said.at(-1) ?? ""
  if (!last.includes("What is my cat called")) return "I will remember that."
  const name = said.flatMap((text) => /my cat is called (\w+)/i.exec(text)?.[1] ?? []).at(-1)
  return name === undefined ? "You never told me." : `Your cat is called ${name}.`
}

const chunk = (delta: object, finish: string | null) => ({
  id: "chatcmpl-e2e",
  object: "chat.completion.chunk",
  created: 1,
  model: "kimi-k2.6",
  choices: [{ index: 0, delta, finish_reason: finish }],
})

const stream = (response: ServerResponse, text: string, prompt: number) => {
  const completion = text.split(" ").length
  const usage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
  const events = [
    chunk({ role: "assistant", content: "" }, null),
    ...text.split(" ").map((word, index) => chunk({ content: `${index === 0 ? "" : " "}${word}` }, null)),
    { ...chunk({}, "stop"), usage },
  ]
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" })
  for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`)
  response.end("data: [DONE]\n\n")
}

export const start = Effect.acquireRelease(
  Effect.callback<Kimi & { readonly stop: () => void }>((resume) => {
    const calls: Array<Call> = []
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (part: Buffer) => chunks.push(part))
      request.on("end", () => {
        const path = request.url ?? ""
        if (path.endsWith("/users/me/balance")) {
          response.writeHead(200, { "content-type": "application/json" })
          const data = { available_balance: 1_000, cash_balance: 1_000, voucher_balance: 0 }
          response.end(JSON.stringify({ data }))
          return
        }
        if (!path.endsWith("/chat/completions")) {
          response.writeHead(404).end()
          return
        }
        const body = Buffer.concat(chunks)
        const { messages } = JSON.parse(body.toString()) as { readonly messages: ReadonlyArray<Message> }
        calls.push({ at: Date.now(), asked: saidIn(messages).at(-1) ?? "" })
        stream(response, answerTo(messages), Math.ceil(body.length / 4) + kimi.surcharge)
        kimi.surcharge = 0
      })
    })
    const kimi = {
      port: 0,
      calls,
      surcharge: 0,
      stop: () => {
        server.closeAllConnections()
        server.close()
      },
    }
    server.listen(0, "127.0.0.1", () => {
      kimi.port = (server.address() as AddressInfo).port
      resume(Effect.succeed(kimi))
    })
  }),
  ({ stop }) => Effect.sync(stop),
)
