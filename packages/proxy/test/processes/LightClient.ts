/**
 * A client light enough for thousands of streams at once: one connection a request, no parsing but of the status line and
 * what a test asks about. It never throws: whatever becomes of a request is an answer.
 */
import { Agent, type ClientRequest, type IncomingMessage, request as open } from "node:http"
import type { Socket } from "node:net"
import { setTimeout as delay } from "node:timers/promises"

export interface Answer {
  /** 0 if the connection ended before a status line. */
  readonly status: number
  /** `error.code` of a refusal. */
  readonly code: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** Whether it came to the end that its framing announced. */
  readonly whole: boolean
  /** From sending to the status line, and to the end. */
  readonly headMillis: number
  readonly millis: number
}

export interface Sent {
  /** The status, once it is known; 0 if it never will be. */
  readonly started: Promise<number>
  readonly ended: Promise<Answer>
  /** Resets the connection, as a client that dies. */
  readonly abort: () => void
  /** What has come so far. */
  readonly text: () => string
}

const agent = new Agent({ keepAlive: false, maxSockets: Infinity })

const codeOf = (status: number, text: string): string | undefined => {
  if (status === 0 || status === 200) return undefined
  try {
    return (JSON.parse(text) as { error?: { code?: string } }).error?.code ?? undefined
  } catch {
    return undefined
  }
}

/** POSTs to the chat route of a proxy. */
export const send = (
  url: string,
  token: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Sent => {
  const payload = typeof body === "string" ? body : JSON.stringify(body)
  const sentAt = performance.now()
  const chunks: Array<Buffer> = []
  const text = () => Buffer.concat(chunks).toString()
  let request: ClientRequest | undefined
  let resolveStarted: (status: number) => void = () => {}
  const started = new Promise<number>((resolve) => (resolveStarted = resolve))
  const ended = new Promise<Answer>((resolve) => {
    let head: IncomingMessage | undefined
    let headMillis = 0
    const end = (whole: boolean) => {
      const status = head?.statusCode ?? 0
      const all = text()
      resolveStarted(status)
      resolve({
        status,
        code: codeOf(status, all),
        headers: head?.headers ?? {},
        text: all,
        whole,
        headMillis,
        millis: performance.now() - sentAt,
      })
    }
    request = open(
      `${url}/v1/chat/completions`,
      {
        agent,
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          "content-length": Buffer.byteLength(payload),
          ...headers,
        },
      },
      (response) => {
        head = response
        headMillis = performance.now() - sentAt
        resolveStarted(response.statusCode ?? 0)
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () => end(response.complete))
        response.on("error", () => end(false))
        response.on("close", () => end(response.complete))
      },
    )
    request.on("error", () => end(false))
    request.end(payload)
  })
  return {
    started,
    ended,
    abort: () => {
      const socket: Socket | null | undefined = request?.socket
      if (socket !== null && socket !== undefined && !socket.destroyed) socket.resetAndDestroy()
      else request?.destroy()
    },
    text,
  }
}

/**
 * As `send`, but asks again when told to because a store did not answer, as clients do: on a machine that is too busy
 * for its Redis that is the right answer, and says nothing about allowances.
 */
export const insist = (url: string, token: string, body: unknown): Sent => {
  let latest = send(url, token, body)
  let aborted = false
  const last = async (): Promise<Sent> => {
    while (true) {
      const sent = latest
      if ((await sent.started) !== 503 || aborted) return sent
      await sent.ended
      await delay(200)
      if (latest === sent) latest = send(url, token, body)
    }
  }
  return {
    started: last().then((sent) => sent.started),
    ended: last().then((sent) => sent.ended),
    abort: () => {
      aborted = true
      latest.abort()
    },
    text: () => latest.text(),
  }
}

/** POSTs and waits for the whole answer, but not for ever. */
export const ask = async (url: string, token: string, body: unknown, patienceMillis = 30_000): Promise<Answer> => {
  const { ended, abort } = send(url, token, body)
  const timer = setTimeout(abort, patienceMillis)
  try {
    return await ended
  } finally {
    clearTimeout(timer)
  }
}
