/**
 * Puts a stream of known length where a destination says, part by part, with what is held in memory bounded. A part on disk
 * appears whole or not at all, as it does in object storage. What it fails with names no address: those are secrets.
 */
import { createHash } from "node:crypto"
import { once } from "node:events"
import { createWriteStream } from "node:fs"
import { mkdir, rename, rm } from "node:fs/promises"
import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { dirname } from "node:path"
import { finished, pipeline } from "node:stream/promises"
import { fileURLToPath } from "node:url"
import { type Destination, partBytes, type Written } from "@berth/domain/Exports"

type Bytes = AsyncIterable<Uint8Array>

/** A store that takes nothing for so long has hung up. */
const idleMillis = 120_000

const answerTo = async (request: ClientRequest): Promise<void> => {
  const [response] = (await once(request, "response")) as [IncomingMessage]
  response.resume()
  await finished(response)
  if (response.statusCode !== 200) throw new Error(`the store answers ${response.statusCode}`)
}

const toStore = async (url: URL, length: number, body: Bytes): Promise<void> => {
  const send = url.protocol === "https:" ? requestHttps : requestHttp
  const request = send(url, { method: "PUT", headers: { "content-length": length }, timeout: idleMillis })
  request.on("timeout", () => request.destroy(new Error("the store does not answer")))
  const answered = answerTo(request)
  // A store that says no need not hang up, nor take the rest.
  answered.catch((error: Error) => request.destroy(error))
  const sent = pipeline(body, request)
  // Its answer says more than that it hung up.
  await Promise.allSettled([answered, sent])
  await answered
  await sent
}

const toDisk = async (url: URL, body: Bytes): Promise<void> => {
  const file = fileURLToPath(url)
  const draft = `${file}.${process.pid}.part`
  await mkdir(dirname(file), { recursive: true })
  try {
    await pipeline(body, createWriteStream(draft, { mode: 0o600, flush: true }))
    await rename(draft, file)
  } finally {
    await rm(draft, { force: true })
  }
}

/** Cuts a stream into parts, one read after the other. */
const cutter = (stream: ReadableStream<Uint8Array>) => {
  const reader = stream.getReader()
  let rest: Uint8Array | undefined
  const next = async () => rest ?? (await reader.read()).value
  return {
    /** Exactly so many bytes. */
    part: async function* (length: number): AsyncGenerator<Uint8Array> {
      for (let left = length; left > 0;) {
        const chunk = await next()
        if (chunk === undefined) throw new Error("the volume changed while it was read")
        rest = chunk.length > left ? chunk.subarray(left) : undefined
        left -= Math.min(left, chunk.length)
        yield rest === undefined ? chunk : chunk.subarray(0, chunk.length - rest.length)
      }
    },
    /** Fails if there is more. */
    end: async (): Promise<void> => {
      if ((await next()) !== undefined) throw new Error("the volume changed while it was read")
    },
    cancel: (): Promise<void> => reader.cancel().catch(() => {}),
  }
}

/** `size` bytes of the stream, which must be all of it. */
export const put = async (
  stream: ReadableStream<Uint8Array>,
  size: number,
  { parts }: Destination,
): Promise<Written> => {
  if (size > parts.length * partBytes) throw new Error(`${size} bytes are more than can be exported`)
  const hash = createHash("sha256")
  const hashed = async function* (body: Bytes): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      hash.update(chunk)
      yield chunk
    }
  }
  const cut = cutter(stream)
  try {
    for (let at = 0; at < size; at += partBytes) {
      const url = new URL(parts[at / partBytes] ?? "")
      const length = Math.min(partBytes, size - at)
      const body = hashed(cut.part(length))
      await (url.protocol === "file:" ? toDisk(url, body) : toStore(url, length, body))
    }
    await cut.end()
  } catch (error) {
    await cut.cancel()
    throw error
  }
  return { size, sha256: hash.digest("hex") }
}
