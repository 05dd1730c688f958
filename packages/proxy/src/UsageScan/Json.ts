/**
 * The scanner for an answer in one piece. Most are kept back whole and read at their end, so that one that turns out
 * broken or to be an error can still be answered by something better. A longer one is passed on as it comes and only the
 * last of it is kept: in JSON a quote inside a text is escaped, so the bytes of a key are that key.
 */
import type { Usage } from "@berth/domain/Usage"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { chunkOf, usageOf } from "../UsageReport.ts"
import { errorKey, textIn, type UsageScan, usageKey, valueOf } from "../UsageScan.ts"

/** Bytes that are kept back until the end is seen: more than nearly every answer has. */
const mostHeld = 256 * 1024
/** Bytes of a longer answer that are kept: more than counts take. */
const tailBytes = 4 * 1024

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))
const Answer = Schema.Struct({ choices: Schema.Array(Schema.Unknown) })
const isAnswer = Schema.is(Answer)

const closing = Buffer.from("}")

/** The last counts that stand whole in these bytes. */
const lastUsageIn = (bytes: Buffer): Usage | undefined => {
  let found: Usage | undefined
  for (let at = valueOf(bytes, usageKey, 0); at !== -1; at = valueOf(bytes, usageKey, at)) {
    // The object ends at one of the next braces: the first at which it is JSON.
    for (let end = bytes.indexOf(closing, at); end !== -1; end = bytes.indexOf(closing, end + 1)) {
      if (end - at > tailBytes) break
      const value = decodeJson(bytes.toString("utf8", at, end + 1))
      if (Option.isNone(value)) continue
      found = usageOf(value.value) ?? found
      break
    }
  }
  return found
}

/** For an answer in one piece. */
export const ofJson = (): UsageScan => {
  let held: Array<Buffer> = []
  let bytes = 0
  let begun = false
  let whole = false
  let usage: Usage | undefined
  let fault: string | undefined
  let tail: Buffer = Buffer.alloc(0)

  /** Passes on what comes next of a long answer; up to an error, if there is one. */
  const pass = (next: Buffer): Buffer | undefined => {
    const seen = Buffer.concat([tail, next])
    usage = lastUsageIn(seen) ?? usage
    const error = valueOf(seen, errorKey, 0)
    if (error !== -1) fault = `{"error":${seen.toString("utf8", error)}`
    const shown = error === -1 ? next : next.subarray(0, Math.max(0, error - tail.length))
    tail = seen.subarray(-tailBytes)
    return shown
  }

  return {
    push: (chunk) => {
      bytes += chunk.length
      if (fault !== undefined) return undefined
      if (begun) return pass(chunk)
      held.push(chunk)
      if (bytes <= mostHeld) return undefined
      const all = Buffer.concat(held)
      held = []
      begun = true
      return pass(all)
    },
    end: () => {
      if (begun) {
        whole = fault === undefined && tail.toString().trimEnd().endsWith("}")
        return undefined
      }
      const all = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held)
      const value = Option.getOrUndefined(decodeJson(all.toString()))
      const read = chunkOf(value)
      if (read.failed) {
        fault = all.toString()
        return undefined
      }
      whole = begun = isAnswer(value)
      usage = read.usage
      return begun ? all : undefined
    },
    begun: () => begun,
    fault: () => fault,
    whole: () => whole,
    usage: () => usage,
    counted: () => usage !== undefined,
    textBytes: () => (begun ? bytes : textIn(Buffer.concat(held), true)),
  }
}
