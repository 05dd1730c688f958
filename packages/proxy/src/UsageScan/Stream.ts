/**
 * The scanner for a stream of server-sent events. Events are found by their blank lines without decoding them; only one
 * that can hold counts or an error is parsed, and until the answer has begun every one. An unfinished event waits for its
 * end, since it may be one that must not be shown.
 */
import type { Usage } from "@berth/domain/Usage"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { chunkOf } from "../UsageReport.ts"
import { mayMatter, textIn, type UsageScan } from "../UsageScan.ts"

/** Longer ones are passed on unread, so that one answer cannot hold the process's memory. */
const longestEvent = 1024 * 1024
/** Bytes of comments and empty chunks that wait for an answer to begin. */
const mostHeld = 64 * 1024

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

const lf = 0x0a
const cr = 0x0d
const letterE = 0x65

interface Fields {
  /** The `data:` lines, joined as the format says; undefined if there are none. */
  readonly data: string | undefined
  readonly name: string
}

/** The fields of one event that matter here. */
const fieldsOf = (text: string): Fields => {
  const data: Array<string> = []
  let name = ""
  for (const line of text.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(":")
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1)
    if (field === "data") data.push(value)
    else if (field === "event") name = value
  }
  return { data: data.length === 0 ? undefined : data.join("\n"), name }
}

/** For a stream of server-sent events. `showUsage` says whether the client asked for the usage chunk. */
export const ofStream = (showUsage: boolean): UsageScan => {
  let usage: Usage | undefined
  let counted = false
  let begun = false
  let fault: string | undefined
  let text = 0
  /** The event under way: its bytes from earlier chunks. */
  let pieces: Array<Buffer> = []
  let pieceBytes = 0
  /** Whether the line under way has no bytes yet, and whether the last one ended in CR, to which an LF belongs. */
  let blank = true
  let afterCr = false
  /** Whether the last event was shown, and whether it is over. */
  let shown = true
  let between = true
  /** The event under way is too long to be read: what comes of it is passed on. */
  let unread = false
  let first = true
  /** A line of the event under way begins like `event:`. */
  let named = false
  /** Shown, but not before the answer has begun. */
  let held: Array<Buffer> = []
  let heldBytes = 0

  /** Reads one event; whether it may be shown. */
  const read = (event: Buffer): boolean => {
    const whole = event.toString()
    const { data, name } = fieldsOf(first ? whole.replace(/^\uFEFF/, "") : whole)
    first = false
    // An error may come without the form of an event.
    const content = data ?? (whole.includes('"error"') ? whole : undefined)
    if (content === undefined || content === "" || content === "[DONE]") return true
    const chunk = Option.getOrUndefined(Option.map(decodeJson(content), chunkOf))
    // Cut off, it is no JSON any more, but an error all the same.
    if (name === "error" || (chunk?.failed ?? content.includes('"error"'))) {
      fault ??= content
      return false
    }
    if (data === undefined) return true
    if (chunk === undefined || chunk.begins) begun = true
    if (chunk?.usage !== undefined) {
      usage = chunk.usage
      counted = chunk.final
    }
    return showUsage || chunk?.usageOnly !== true
  }

  /** Whether an event may be shown. Behind an error only counts are of interest. */
  const take = (event: Buffer): boolean => {
    if (fault === undefined) text += textIn(event)
    const shows = (begun && !named && !mayMatter(event)) || read(event)
    return shows && fault === undefined
  }

  /** Adds to what is shown, and gives out all of it once the answer has begun. */
  const release = (out: ReadonlyArray<Buffer>): Buffer | undefined => {
    held.push(...out)
    if (!begun) {
      for (const one of out) heldBytes += one.length
      begun = heldBytes > mostHeld
    }
    if (!begun || held.length === 0) return undefined
    const all = held
    held = []
    return all.length === 1 ? all[0] : Buffer.concat(all)
  }

  const push = (chunk: Buffer): Buffer | undefined => {
    const out: Array<Buffer> = []
    /** Nothing in this chunk needs to be read: its whole events are passed on together. */
    const quiet = begun && fault === undefined && !mayMatter(chunk)
    let quietFrom = 0
    /** From where on this chunk is still to be passed on, and where its event and its line under way begin. */
    let run = 0
    let from = 0
    let line = blank ? 0 : -1

    const close = (to: number): void => {
      if (quiet && !named && pieces.length === 0 && fault === undefined) shown = true
      else {
        const event = pieces.length === 0 ? chunk.subarray(from, to) : Buffer.concat([...pieces, chunk.subarray(0, to)])
        shown = unread ? fault === undefined : take(event)
        quietFrom = to
        if (shown) out.push(...pieces)
        else {
          if (from > run) out.push(chunk.subarray(run, from))
          run = to
        }
        pieces = []
        pieceBytes = 0
      }
      unread = named = false
      from = to
    }

    let at = 0
    if (afterCr && chunk[0] === lf) {
      // The other half of a line's end. If that line ended an event, it goes where the event went.
      line = at = 1
      if (between) {
        from = 1
        if (!shown) run = 1
      }
    }
    if (blank && chunk[at] === letterE) named = true
    let nextLf = chunk.indexOf(lf, at)
    let nextCr = chunk.indexOf(cr, at)
    while (nextLf !== -1 || nextCr !== -1) {
      at = nextLf === -1 || (nextCr !== -1 && nextCr < nextLf) ? nextCr : nextLf
      between = at === line
      line = chunk[at] === cr && chunk[at + 1] === lf ? at + 2 : at + 1
      if (between) close(line)
      if (chunk[line] === letterE) named = true
      if (nextLf !== -1 && nextLf < line) nextLf = chunk.indexOf(lf, line)
      if (nextCr !== -1 && nextCr < line) nextCr = chunk.indexOf(cr, line)
    }
    if (quiet) text += textIn(chunk.subarray(quietFrom, from))
    if (chunk.length > 0) {
      blank = line === chunk.length
      afterCr = chunk[chunk.length - 1] === cr
      if (from < chunk.length) between = false
    }

    const shownTo = unread && fault === undefined ? chunk.length : from
    if (shownTo > run) out.push(run === 0 && shownTo === chunk.length ? chunk : chunk.subarray(run, shownTo))
    if (!unread && from < chunk.length) {
      pieces.push(from === 0 ? chunk : chunk.subarray(from))
      pieceBytes += chunk.length - from
      if (pieceBytes > longestEvent) {
        if (fault === undefined) out.push(...pieces)
        pieces = []
        pieceBytes = 0
        unread = begun = true
      }
    }
    return release(out)
  }

  return {
    push,
    end: () => {
      if (pieces.length === 0) return release([])
      const last = Buffer.concat(pieces)
      pieces = []
      return release(take(last) ? [last] : [])
    },
    begun: () => begun,
    fault: () => fault,
    whole: () => begun,
    usage: () => usage,
    counted: () => counted,
    textBytes: () => text,
  }
}
