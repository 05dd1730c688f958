/**
 * Where the members of a JSON object lie in its bytes, so that a body can be checked and edited without being parsed or
 * written again. PURE. Invariant: it accepts exactly what `JSON.parse` accepts, within limits of depth and width; anything
 * else is malformed, since a text that two parsers read differently could smuggle a model or a tool past the checks.
 */

/** One member of an object. Offsets are into the scanned bytes; ends are exclusive. */
export interface Member {
  /** The key's raw text between its quotes. */
  readonly key: string
  /** Whether the key is written with escapes, in which case `key` is not its value. */
  readonly escaped: boolean
  /** Offset of the key's opening quote. */
  readonly from: number
  readonly valueFrom: number
  readonly to: number
}

export interface Span {
  readonly from: number
  readonly to: number
}

/** Deeper nesting is refused: no client needs it, and it costs whoever parses it next. */
export const maxDepth = 128
/** Objects whose members are listed may have so many: enough for any client, too few to keep the process busy. */
export const maxMembers = 256

const quote = 0x22
const backslash = 0x5c
const colon = 0x3a
const comma = 0x2c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/** 1 for bytes that end the fast path within a string: the quote, the backslash and control characters. */
const special = new Uint8Array(256)
special.fill(1, 0, 0x20)
special[quote] = 1
special[backslash] = 1

/** 1 for bytes that may follow a backslash by themselves. */
const simpleEscape = new Uint8Array(256)
for (const one of '"\\/bfnrt') simpleEscape[one.charCodeAt(0)] = 1

const isHex = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39

const malformed = -1

/** Each `skip` takes the offset of a token's first byte and returns the offset after it, or `malformed`. */
const skipSpace = (bytes: Uint8Array, from: number): number => {
  let at = from
  for (; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
  }
  return at
}

const skipString = (bytes: Uint8Array, from: number): number => {
  const end = bytes.length
  let at = from + 1
  for (;;) {
    while (at < end && special[bytes[at] as number] === 0) at++
    const byte = bytes[at]
    if (byte === quote) return at + 1
    if (byte !== backslash) return malformed
    const escape = bytes[at + 1]
    if (escape === undefined) return malformed
    if (escape === 0x75) {
      for (let digit = at + 2; digit < at + 6; digit++) if (!isHex(bytes[digit] ?? 0)) return malformed
      at += 6
    } else if (simpleEscape[escape] === 1) at += 2
    else return malformed
  }
}

const skipDigits = (bytes: Uint8Array, from: number): number => {
  let at = from
  while (isDigit(bytes[at] ?? 0)) at++
  return at === from ? malformed : at
}

const skipNumber = (bytes: Uint8Array, from: number): number => {
  let at = bytes[from] === 0x2d ? from + 1 : from
  at = bytes[at] === 0x30 ? at + 1 : skipDigits(bytes, at)
  if (at !== malformed && bytes[at] === 0x2e) at = skipDigits(bytes, at + 1)
  if (at !== malformed && (bytes[at] === 0x65 || bytes[at] === 0x45)) {
    const sign = bytes[at + 1]
    at = skipDigits(bytes, sign === 0x2b || sign === 0x2d ? at + 2 : at + 1)
  }
  return at
}

const literals = ["true", "false", "null"].map((text) => new TextEncoder().encode(text))

const skipLiteral = (bytes: Uint8Array, from: number): number => {
  for (const literal of literals) {
    if (literal.every((byte, index) => bytes[from + index] === byte)) return from + literal.length
  }
  return malformed
}

const skipValue = (bytes: Uint8Array, from: number, depth: number): number => {
  const byte = bytes[from]
  if (byte === quote) return skipString(bytes, from)
  if (byte === openBrace) return eachMember(bytes, from, depth, undefined)
  if (byte === openBracket) return eachElement(bytes, from, depth, undefined)
  if (byte === 0x2d || isDigit(byte ?? 0)) return skipNumber(bytes, from)
  return skipLiteral(bytes, from)
}

const eachMember = (bytes: Uint8Array, from: number, depth: number, found: Array<Member> | undefined): number => {
  if (depth >= maxDepth) return malformed
  let at = skipSpace(bytes, from + 1)
  if (bytes[at] === closeBrace) return at + 1
  for (;;) {
    if (bytes[at] !== quote) return malformed
    const keyFrom = at
    const keyTo = skipString(bytes, at)
    if (keyTo === malformed) return malformed
    at = skipSpace(bytes, keyTo)
    if (bytes[at] !== colon) return malformed
    const valueFrom = skipSpace(bytes, at + 1)
    at = skipValue(bytes, valueFrom, depth + 1)
    if (at === malformed) return malformed
    if (found !== undefined) {
      if (found.length === maxMembers) return malformed
      const key = textOf(bytes, { from: keyFrom + 1, to: keyTo - 1 })
      found.push({ key, escaped: key.includes("\\"), from: keyFrom, valueFrom, to: at })
    }
    at = skipSpace(bytes, at)
    if (bytes[at] === closeBrace) return at + 1
    if (bytes[at] !== comma) return malformed
    at = skipSpace(bytes, at + 1)
  }
}

const eachElement = (bytes: Uint8Array, from: number, depth: number, found: Array<Span> | undefined): number => {
  if (depth >= maxDepth) return malformed
  let at = skipSpace(bytes, from + 1)
  if (bytes[at] === closeBracket) return at + 1
  for (;;) {
    const valueFrom = at
    at = skipValue(bytes, at, depth + 1)
    if (at === malformed) return malformed
    found?.push({ from: valueFrom, to: at })
    at = skipSpace(bytes, at)
    if (bytes[at] === closeBracket) return at + 1
    if (bytes[at] !== comma) return malformed
    at = skipSpace(bytes, at + 1)
  }
}

/** The members of the object that the whole text is; undefined if the text is anything else. The bytes must be valid UTF-8. */
export const membersOf = (bytes: Uint8Array): ReadonlyArray<Member> | undefined => {
  const from = skipSpace(bytes, 0)
  if (bytes[from] !== openBrace) return undefined
  const members: Array<Member> = []
  const to = eachMember(bytes, from, 0, members)
  return to !== malformed && skipSpace(bytes, to) === bytes.length ? members : undefined
}

/** Whether a value within text that was scanned before is an array with something in it. */
export const isFilledArray = (bytes: Uint8Array, from: number): boolean =>
  bytes[from] === openBracket && bytes[skipSpace(bytes, from + 1)] !== closeBracket

/** The members of an object within text that was scanned before; undefined if the value there is no object. */
export const membersAt = (bytes: Uint8Array, from: number): ReadonlyArray<Member> | undefined => {
  if (bytes[from] !== openBrace) return undefined
  const members: Array<Member> = []
  return eachMember(bytes, from, 0, members) === malformed ? undefined : members
}

/** The elements of an array within text that was scanned before; undefined if the value there is no array. */
export const elementsAt = (bytes: Uint8Array, from: number): ReadonlyArray<Span> | undefined => {
  if (bytes[from] !== openBracket) return undefined
  const elements: Array<Span> = []
  return eachElement(bytes, from, 0, elements) === malformed ? undefined : elements
}

// A byte order mark is a character like others: dropped, it would make another name of a member's.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

export const textOf = (bytes: Uint8Array, span: Span): string => decoder.decode(bytes.subarray(span.from, span.to))

/** The value of a span that was scanned before, which cannot fail to parse. */
export const valueAt = (bytes: Uint8Array, from: number, to: number): unknown => JSON.parse(textOf(bytes, { from, to }))
