/**
 * Finds the usage in an answer while its bytes pass by. PURE but for its own state; one scanner per answer. Streams are
 * split into events without decoding them; only an event that can hold usage is parsed. Invariant: the result is the same
 * however the bytes are cut into chunks, and what is forwarded is what came, but for a usage chunk nobody asked for.
 */
import type { Usage } from "@berth/domain/Usage"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Chunk, chunkOf } from "./UsageReport.ts"

export interface UsageScan {
  /** Takes the next bytes and returns what of them (and of bytes kept back) goes to the client now. */
  readonly push: (chunk: Buffer) => Buffer | undefined
  /** What was kept back when the answer ended. */
  readonly end: () => Buffer | undefined
  /** The last usage seen. */
  readonly usage: () => Usage | undefined
  /** Bytes of text that the answer has carried so far, as well as they are known without parsing everything. */
  readonly textBytes: () => number
}

/** Longer ones are passed on unread, so that one answer cannot hold the process's memory. */
const longestEvent = 1024 * 1024
const longestAnswer = 8 * 1024 * 1024

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))
/** Undefined if the text is no JSON. */
const parse = (text: string): Chunk | undefined => Option.getOrUndefined(Option.map(decodeJson(text), chunkOf))

const usageKey = Buffer.from('"usage"')
const newline = 0x0a

/** Whether bytes can hold a usage object: the key, followed by a brace. OpenAI-style streams carry `"usage":null` in every chunk. */
const mayHoldUsage = (bytes: Buffer): boolean => {
  for (let at = bytes.indexOf(usageKey); at !== -1; at = bytes.indexOf(usageKey, at)) {
    at += usageKey.length
    let next = at
    while (next < bytes.length && (bytes[next] === 0x3a || (bytes[next] as number) <= 0x20)) next++
    if (bytes[next] === 0x7b) return true
  }
  return false
}

/** The `data:` lines of one event, joined as the format says. */
const dataOf = (event: Buffer): string =>
  event
    .toString()
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(line.startsWith("data: ") ? 6 : 5))
    .join("\n")

/** Offset after the blank line that ends the last whole event, or 0. */
const lastBoundary = (bytes: Buffer): number => {
  for (let at = bytes.lastIndexOf(newline); at > 0; at = bytes.lastIndexOf(newline, at - 1)) {
    const before = bytes[at - 1] === 0x0d ? at - 2 : at - 1
    if (bytes[before] === newline) return at + 1
  }
  return 0
}

/** Calls back for each event, boundary included. */
const eachEvent = (bytes: Buffer, visit: (event: Buffer) => void): void => {
  let from = 0
  let line = 0
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) {
    const blank = at === line || (at === line + 1 && bytes[line] === 0x0d)
    line = at + 1
    if (!blank) continue
    visit(bytes.subarray(from, line))
    from = line
  }
  if (from < bytes.length) visit(bytes.subarray(from))
}

/** For a stream of server-sent events. `showUsage` says whether the client asked for the usage chunk. */
export const ofStream = (showUsage: boolean): UsageScan => {
  let usage: Usage | undefined
  let rest: Buffer | undefined
  let bytes = 0
  let events = 0
  /** How long an event is apart from its text, learnt from the first one with text. */
  let envelope: number | undefined
  let unread = false

  /** Reads whole events; what of them the client may see. */
  const read = (part: Buffer): Buffer => {
    const shown: Array<Buffer> = []
    let hidden = 0
    const suspicious = mayHoldUsage(part)
    eachEvent(part, (event) => {
      events++
      if (suspicious ? mayHoldUsage(event) : envelope === undefined) {
        const chunk = parse(dataOf(event))
        usage = chunk?.usage ?? usage
        if (envelope === undefined && chunk !== undefined && chunk.textBytes > 0) {
          envelope = event.length - chunk.textBytes
        }
        if (chunk?.usageOnly === true && !showUsage) {
          hidden += event.length
          return
        }
      }
      shown.push(event)
    })
    bytes += part.length - hidden
    return hidden === 0 ? part : Buffer.concat(shown)
  }

  return {
    push: (chunk) => {
      if (unread) {
        bytes += chunk.length
        return chunk
      }
      const all = rest === undefined ? chunk : Buffer.concat([rest, chunk])
      const boundary = lastBoundary(all)
      const tail = all.subarray(boundary)
      let visible = boundary === 0 ? undefined : read(all.subarray(0, boundary))
      rest = tail.length === 0 ? undefined : tail
      if (tail.length > longestEvent) {
        unread = true
        bytes += tail.length
        rest = undefined
        visible = visible === undefined ? tail : Buffer.concat([visible, tail])
      }
      // A client that asked for usage sees every byte at once; else an unfinished event waits until it is known.
      return showUsage ? chunk : visible
    },
    end: () => {
      const last = rest === undefined ? undefined : read(rest)
      rest = undefined
      return showUsage ? undefined : last
    },
    usage: () => usage,
    textBytes: () => Math.max(0, bytes + (rest?.length ?? 0) - events * (envelope ?? 0)),
  }
}

/** For an answer in one piece. */
export const ofJson = (): UsageScan => {
  const chunks: Array<Buffer> = []
  let bytes = 0
  let read: Chunk | undefined
  return {
    push: (chunk) => {
      bytes += chunk.length
      if (bytes <= longestAnswer) chunks.push(chunk)
      return chunk
    },
    end: () => {
      read = bytes <= longestAnswer ? parse(Buffer.concat(chunks).toString()) : undefined
      return undefined
    },
    usage: () => read?.usage,
    textBytes: () => read?.textBytes ?? bytes,
  }
}
