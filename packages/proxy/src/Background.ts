/**
 * Whose turn is this: a person's who waits for it, or one that OpenClaw began by itself? PURE, on the bytes of a body that
 * was checked before. Told by how OpenClaw (2026.9.6, captured from it) begins the user message that a turn answers; what
 * a person writes stands in such a message behind a line of OpenClaw's own, so whoever quotes a heartbeat is a person
 * still. A customer can pass a heartbeat off as a person's turn, by a prompt or a client of their own: it then counts
 * against the same allowance at the same price, and all that they lose is the cap that keeps an idle agent from eating it.
 */
import {
  isText,
  malformed,
  membersOf,
  openBrace,
  openBracket,
  quote,
  skipArray,
  skipObject,
  skipValue,
} from "./JsonSpans.ts"

/** `heartbeat`: a look around, again in half an hour. `scheduled`: a cron job or a reminder, at a time that was set. */
export type Turn = "person" | "heartbeat" | "scheduled"

/** As it stands in JSON. */
const raw = (text: string): Buffer => Buffer.from(JSON.stringify(text).slice(1, -1))

/** Every prompt that OpenClaw sets a time for tells it the time, near its end. */
const timeLine = raw("\nReference UTC: ")

const beginnings: ReadonlyArray<readonly [Exclude<Turn, "person">, Buffer]> = [
  ["heartbeat", raw("Follow the heartbeat monitor scratch")],
  ["heartbeat", raw("Run the following periodic tasks")],
  ["scheduled", raw("[cron:")],
  ["scheduled", raw("A scheduled reminder has been triggered.")],
  ["scheduled", raw("A scheduled cron event was triggered")],
]
/** User messages that belong to the turn of the one before them: what OpenClaw adds to each request, and its own calls to go on. */
const additions = [
  raw("<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>"),
  raw("The previous assistant turn "),
  raw("The previous attempt "),
  raw("Continue the current task from the existing transcript"),
]

const names = { role: raw("role"), content: raw("content"), text: raw("text") }
const user = Buffer.from('"user"')

const begins = (text: Buffer, beginning: Buffer): boolean => beginning.equals(text.subarray(0, beginning.length))

/** The offset of each message. */
const messagesOf = (body: Buffer): ReadonlyArray<number> => {
  const offsets: Array<number> = []
  const messages = membersOf(body)?.find(({ key }) => key === "messages")
  if (messages === undefined || body[messages.valueFrom] !== openBracket) return offsets
  skipArray(body, messages.valueFrom, 1, (from, depth) => {
    offsets.push(from)
    return skipValue(body, from, depth)
  })
  return offsets
}

/** The text of a content, between its quotes: a string, or the first of its parts. */
const textAt = (body: Buffer, from: number): Buffer | undefined => {
  if (body[from] === quote) return body.subarray(from + 1, skipValue(body, from, 1) - 1)
  let text: Buffer | undefined
  if (body[from] !== openBracket) return text
  skipArray(body, from, 1, (part, depth) => {
    if (body[part] !== openBrace) return malformed
    skipObject(body, part, depth, (keyFrom, keyTo, at, depth) => {
      if (isText(body, keyFrom, keyTo, names.text) && body[at] === quote) text = textAt(body, at)
      return skipValue(body, at, depth)
    })
    return malformed
  })
  return text
}

/** The text of a message, if it is the user's. */
const userTextAt = (body: Buffer, from: number): Buffer | undefined => {
  let isUser = false
  let content = malformed
  skipObject(body, from, 2, (keyFrom, keyTo, at, depth) => {
    const to = skipValue(body, at, depth)
    if (isText(body, keyFrom, keyTo, names.role)) isUser = isText(body, at, to, user)
    if (isText(body, keyFrom, keyTo, names.content)) content = at
    return to
  })
  return isUser && content !== malformed ? textAt(body, content) : undefined
}

export const turnOf = (body: Buffer): Turn => {
  // Spares nearly every request the second scan.
  if (!body.includes(timeLine)) return "person"
  for (const from of messagesOf(body).toReversed()) {
    const text = userTextAt(body, from)
    if (text === undefined || additions.some((one) => begins(text, one))) continue
    const found = beginnings.find(([, beginning]) => begins(text, beginning))
    return found !== undefined && text.includes(timeLine) ? found[0] : "person"
  }
  return "person"
}
