/**
 * The two long members of a request, `messages` and `tools`, checked in the pass that scans them. PURE. What is closed is
 * what Kimi charges or keeps apart from tokens: its own tools (`builtin_function`, names with `$`: "WebSearch pricing",
 * platform.kimi.ai/docs/pricing/tools), declared or called, also by a message's `tools` (K3's dynamic tool loading); and
 * messages of the role `cache`, which name stored contexts billed by the minute (platform.moonshot.cn/docs/api/caching).
 * Invariant: a name that matters is read as every parser reads it, so it must be written without escapes.
 */
import {
  isText,
  malformed,
  openBrace,
  openBracket,
  quote,
  skipArray,
  skipObject,
  skipValue,
  type Span,
  valueAt,
} from "./JsonSpans.ts"
import { skipContent } from "./Parts.ts"

/** More are refused: each costs the upstream's template and us time, however short it is. */
export const maxMessages = 4_096
/** As many as the upstream takes. */
export const maxTools = 128

/** Told what is wrong; returns `malformed`, so that the scan ends there. */
export type Report = (fault: string) => number

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const keys = {
  role: encode("role"),
  name: encode("name"),
  type: encode("type"),
  function: encode("function"),
  tools: encode("tools"),
  toolCalls: encode("tool_calls"),
  content: encode("content"),
}
const roles = ["system", "developer", "user", "assistant", "tool"]
const roleTexts = roles.map((role) => encode(`"${role}"`))
const plainFunction = encode('"function"')
const nullText = encode("null")
const dollar = 0x24
const backslash = 0x5c

/** Whether a string value begins with `$`, in whatever spelling. */
const isProviders = (bytes: Uint8Array, from: number, to: number): boolean =>
  bytes[from] === quote &&
  (bytes[from + 1] === dollar || (bytes[from + 1] === backslash && String(valueAt(bytes, from, to)).startsWith("$")))

const notOffered = "The provider's own tools, such as $web_search, are not offered."

/** A `function` object of a tool or of a call. */
const skipFunction = (bytes: Uint8Array, from: number, depth: number, report: Report, words: string): number => {
  if (bytes[from] !== openBrace) return report(`${words} must have a \`function\` that is an object.`)
  let names = 0
  const to = skipObject(bytes, from, depth, (keyFrom, keyTo, valueFrom, depth, escaped) => {
    if (escaped) return report(`${words} must have a \`function\` with plainly written names.`)
    const to = skipValue(bytes, valueFrom, depth)
    if (to === malformed || !isText(bytes, keyFrom, keyTo, keys.name)) return to
    names++
    if (bytes[valueFrom] !== quote) return report(`${words} must have a name that is a string.`)
    return isProviders(bytes, valueFrom, to) ? report(notOffered) : to
  })
  return to !== malformed && names !== 1 ? report(`${words} must have a \`function\` with one \`name\`.`) : to
}

/** One of `tools`, or of a message's `tool_calls`, which need not name their type. */
const skipTool = (bytes: Uint8Array, from: number, depth: number, report: Report, isCall: boolean): number => {
  const words = isCall ? "Each of `tool_calls`" : "Each of `tools`"
  if (bytes[from] !== openBrace) return report(`${words} must be an object.`)
  let types = 0
  let functions = 0
  const to = skipObject(bytes, from, depth, (keyFrom, keyTo, valueFrom, depth, escaped) => {
    if (escaped) return report(`${words} must be an object with plainly written names.`)
    if (isText(bytes, keyFrom, keyTo, keys.function)) {
      functions++
      return skipFunction(bytes, valueFrom, depth, report, words)
    }
    const to = skipValue(bytes, valueFrom, depth)
    if (to === malformed || !isText(bytes, keyFrom, keyTo, keys.type)) return to
    types++
    return isText(bytes, valueFrom, to, plainFunction)
      ? to
      : report('Only tools of type "function" are offered; the provider\'s own, such as web search, are not.')
  })
  if (to === malformed) return to
  if (functions !== 1) return report(`${words} must have one \`function\`.`)
  return types > 1 || (types === 0 && !isCall) ? report(`${words} must have one \`type\`.`) : to
}

/** `tools`: only functions that the client itself runs. */
export const skipTools = (bytes: Uint8Array, from: number, depth: number, report: Report): number => {
  if (bytes[from] !== openBracket) {
    const to = skipValue(bytes, from, depth)
    return to === malformed || isText(bytes, from, to, nullText) ? to : report("`tools` must be an array.")
  }
  let count = 0
  return skipArray(bytes, from, depth, (at, depth) =>
    ++count > maxTools ? report(`At most ${maxTools} tools are accepted.`) : skipTool(bytes, at, depth, report, false),
  )
}

/** The value of a member that matters. Told apart by length first: there are many members, and hardly any matters. */
const skipMemberOfMessage = (
  bytes: Uint8Array,
  keyFrom: number,
  keyTo: number,
  from: number,
  depth: number,
  report: Report,
  pictures: Array<Span>,
) => {
  const isKey = (key: Uint8Array) => isText(bytes, keyFrom, keyTo, key)
  switch (keyTo - keyFrom) {
    case keys.content.length:
      return isKey(keys.content) ? skipContent(bytes, from, depth, report, pictures) : skipValue(bytes, from, depth)
    case keys.name.length: {
      const to = skipValue(bytes, from, depth)
      return to !== malformed && isKey(keys.name) && isProviders(bytes, from, to) ? report(notOffered) : to
    }
    case keys.tools.length: {
      const to = skipValue(bytes, from, depth)
      return to === malformed || !isKey(keys.tools) || isText(bytes, from, to, nullText)
        ? to
        : report("Tools are declared in `tools`, not in a message.")
    }
    case keys.toolCalls.length: {
      if (!isKey(keys.toolCalls)) return skipValue(bytes, from, depth)
      if (bytes[from] === openBracket) {
        return skipArray(bytes, from, depth, (at, depth) => skipTool(bytes, at, depth, report, true))
      }
      const to = skipValue(bytes, from, depth)
      return to === malformed || isText(bytes, from, to, nullText)
        ? to
        : report("A message's `tool_calls` must be an array.")
    }
    default:
      return skipValue(bytes, from, depth)
  }
}

const skipMessage = (bytes: Uint8Array, from: number, depth: number, report: Report, pictures: Array<Span>): number => {
  if (bytes[from] !== openBrace) return report("Each of `messages` must be an object.")
  let ranks = 0
  const to = skipObject(bytes, from, depth, (keyFrom, keyTo, valueFrom, depth, escaped) => {
    if (escaped) return report("The names in a message must be written without escapes.")
    if (!isText(bytes, keyFrom, keyTo, keys.role)) {
      return skipMemberOfMessage(bytes, keyFrom, keyTo, valueFrom, depth, report, pictures)
    }
    ranks++
    const to = skipValue(bytes, valueFrom, depth)
    if (to === malformed) return to
    for (const role of roleTexts) if (isText(bytes, valueFrom, to, role)) return to
    return report(`The \`role\` of a message must be one of ${roles.join(", ")}.`)
  })
  return to !== malformed && ranks !== 1 ? report("Each of `messages` must have one `role`.") : to
}

/** `messages`: one at least. What they say is not looked at but for pictures: adds where they lie. */
export const skipMessages = (
  bytes: Uint8Array,
  from: number,
  depth: number,
  report: Report,
  pictures: Array<Span>,
): number => {
  if (bytes[from] !== openBracket) return report("`messages` must be a non-empty array.")
  let count = 0
  const to = skipArray(bytes, from, depth, (at, depth) =>
    ++count > maxMessages
      ? report(`At most ${maxMessages} messages are accepted.`)
      : skipMessage(bytes, at, depth, report, pictures),
  )
  return to !== malformed && count === 0 ? report("`messages` must be a non-empty array.") : to
}
