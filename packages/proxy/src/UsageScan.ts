/**
 * Finds the usage in an answer while its bytes pass by, and an error that hides in one that began well. PURE but for its
 * own state; one scanner per answer. Invariants: the result is the same however the bytes are cut into chunks; what is
 * shown is what came, but for a usage chunk nobody asked for, and nothing from an error on.
 */
import type { Usage } from "@berth/domain/Usage"

export interface UsageScan {
  /** Takes the next bytes and returns what of them (and of bytes kept back) the client may see now. */
  readonly push: (chunk: Buffer) => Buffer | undefined
  /** What was kept back when the answer ended. */
  readonly end: () => Buffer | undefined
  /** Whether anything of an answer has come. Until then nothing is shown, and whatever becomes of it can be hidden. */
  readonly begun: () => boolean
  /** Once the upstream said in its answer that it failed: the text that says so, for our eyes only. */
  readonly fault: () => string | undefined
  /** Whether it could end here as it stands. */
  readonly whole: () => boolean
  /** The last usage seen. */
  readonly usage: () => Usage | undefined
  /** Whether that usage is the count of the whole answer, not of what there was of it in its midst. */
  readonly counted: () => boolean
  /** Bytes of text, thought and tool arguments that have come; of a long answer in one piece, all of its bytes. Never more. */
  readonly textBytes: () => number
}

const contentKeys = [Buffer.from('content":'), Buffer.from('arguments":')]
const space = 0x20
const quote = 0x22
const colon = 0x3a
const backslash = 0x5c
const letterN = 0x6e
const letterU = 0x75

/** Bytes that a JSON string stands for, at least: an escape counts as one byte, whatever it stands for. */
const plainLength = (escaped: Buffer): number => {
  let { length } = escaped
  for (let at = escaped.indexOf(backslash); at !== -1; at = escaped.indexOf(backslash, at + 2)) {
    length -= escaped[at + 1] === letterU ? 5 : 1
  }
  return length
}

const endOfString = (bytes: Buffer, from: number): number => {
  for (let at = bytes.indexOf(quote, from); at !== -1; at = bytes.indexOf(quote, at + 1)) {
    let slashes = 0
    while (bytes[at - 1 - slashes] === backslash) slashes++
    if (slashes % 2 === 0) return at
  }
  return -1
}

/**
 * Bytes of text in the chunks of a stream, from their bytes alone: a quote in a text is escaped, so a key is a key.
 * Arguments of tool calls count where nothing is said. A text that has no end yet counts if `open`.
 */
export const textIn = (bytes: Buffer, open = false): number => {
  let total = 0
  for (const key of contentKeys) {
    if (total > 0) break
    for (let at = bytes.indexOf(key); at !== -1; at = bytes.indexOf(key, at)) {
      at += key.length
      while (bytes[at] === space) at++
      if (bytes[at] !== quote) continue
      const end = endOfString(bytes, at + 1)
      if (end === -1) {
        if (open) total += plainLength(bytes.subarray(at + 1))
        break
      }
      total += plainLength(bytes.subarray(at + 1, end))
      at = end
    }
  }
  return total
}

export const usageKey = Buffer.from('"usage"')
export const errorKey = Buffer.from('"error"')

const isBlank = (byte: number | undefined): boolean => byte === space || (byte !== undefined && byte >= 9 && byte <= 13)

/** Offset of the next value of a key, other than `null`, which stands in every chunk of some streams; -1 if there is none. */
export const valueOf = (bytes: Buffer, key: Buffer, from: number): number => {
  for (let at = bytes.indexOf(key, from); at !== -1; at = bytes.indexOf(key, at)) {
    at += key.length
    while (isBlank(bytes[at])) at++
    if (bytes[at] !== colon) continue
    at++
    while (isBlank(bytes[at])) at++
    if (at < bytes.length && bytes[at] !== letterN) return at
  }
  return -1
}

const isTold = (bytes: Buffer, key: Buffer): boolean => {
  for (let at = bytes.indexOf(key); at !== -1; at = bytes.indexOf(key, at)) {
    at += key.length
    while (bytes[at] === space || bytes[at] === colon) at++
    if (bytes[at] !== letterN) return true
  }
  return false
}

/** Whether events can hold counts or an error, so that they must be read: never no if they do. */
export const mayMatter = (bytes: Buffer): boolean => isTold(bytes, usageKey) || isTold(bytes, errorKey)
