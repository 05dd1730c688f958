/** An upstream whose streams begin and then wait until the test ends them, each with the usage that the test chooses. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"

const event = (choices: unknown, more: object = {}) =>
  `data: ${JSON.stringify({ id: "chatcmpl-gated", object: "chat.completion.chunk", created: 1, model: "kimi-k2.6", choices, ...more })}\n\n`

/** Listens until the scope closes. A stream is named by the first number of its message. */
export const listen = Effect.gen(function* () {
  const open = new Map<number, ServerResponse>()
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      if (!request.url?.endsWith("/chat/completions")) return response.writeHead(404).end()
      const [, name = ""] = /"stream (\d+)"/.exec(Buffer.concat(chunks).toString()) ?? []
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write(event([{ index: 0, delta: { content: "well, " }, finish_reason: null }]))
      return open.set(Number(name), response)
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
  /** Ends a stream, charged at so many tokens. */
  const end = (stream: number, tokens: number) => {
    const usage = { prompt_tokens: 10, completion_tokens: tokens - 10, total_tokens: tokens }
    const finish = event([{ index: 0, delta: {}, finish_reason: "stop", usage }])
    open.get(stream)?.end(`${finish}${event([], { usage })}data: [DONE]\n\n`)
    open.delete(stream)
  }
  return { url: new URL(`http://127.0.0.1:${port}/v1`), end, open: () => open.size }
})
