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

export const quote = 0x22
const backslash = 0x5c
const colon = 0x3a
const comma = 0x2c
export const openBrace = 0x7b
const closeBrace = 0x7d
export const openBracket = 0x5b
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

/** In the place of an offset: what stands there is no JSON, or whoever was told of it wants no more. */
export const malformed = -1

/**
 * Told of each member of an object as it is scanned, its key's text between the quotes at `keyFrom` to `keyTo`. Skips the
 * value, by one of the functions below, and returns the offset after it. So a whole body is looked into in one pass.
 */
export type OnMember = (
  keyFrom: number,
  keyTo: number,
  valueFrom: number,
  depth: number,
  /** The key is written with escapes, so its text is not its name. */
  escaped: boolean,
) => number
/** The same for each element of an array. */
export type OnElement = (from: number, depth: number) => number

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
    while (
      at + 4 <= end &&
      ((special[bytes[at] as number] as number) |
        (special[bytes[at + 1] as number] as number) |
        (special[bytes[at + 2] as number] as number) |
        (special[bytes[at + 3] as number] as number)) ===
        0
    ) {
      at += 4
    }
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

const encoder = new TextEncoder()
const literals = new Map(["true", "false", "null"].map((text) => [text.charCodeAt(0), encoder.encode(text)]))

/** Whether a text stands at an offset. */
const standsAt = (bytes: Uint8Array, from: number, text: Uint8Array): boolean => {
  for (let at = 0; at < text.length; at++) if (bytes[from + at] !== text[at]) return false
  return true
}

const skipLiteral = (bytes: Uint8Array, from: number): number => {
  const literal = literals.get(bytes[from] ?? 0)
  return literal !== undefined && standsAt(bytes, from, literal) ? from + literal.length : malformed
}

export const skipValue = (bytes: Uint8Array, from: number, depth: number): number => {
  const byte = bytes[from]
  if (byte === quote) return skipString(bytes, from)
  if (byte === openBrace) return skipObject(bytes, from, depth)
  if (byte === openBracket) return skipArray(bytes, from, depth)
  if (byte === 0x2d || isDigit(byte ?? 0)) return skipNumber(bytes, from)
  return skipLiteral(bytes, from)
}

/** `from` is the offset of its opening brace, `depth` how deep it stands itself. */
export const skipObject = (bytes: Uint8Array, from: number, depth: number, onMember?: OnMember): number => {
  if (depth >= maxDepth) return malformed
  let at = skipSpace(bytes, from + 1)
  if (bytes[at] === closeBrace) return at + 1
  for (;;) {
    if (bytes[at] !== quote) return malformed
    const keyFrom = at + 1
    let keyTo = keyFrom
    while (special[bytes[keyTo] ?? 0] === 0) keyTo++
    const escaped = bytes[keyTo] !== quote
    if (escaped) keyTo = skipString(bytes, at) - 1
    if (keyTo < keyFrom) return malformed
    at = skipSpace(bytes, keyTo + 1)
    if (bytes[at] !== colon) return malformed
    const valueFrom = skipSpace(bytes, at + 1)
    at =
      onMember === undefined
        ? skipValue(bytes, valueFrom, depth + 1)
        : onMember(keyFrom, keyTo, valueFrom, depth + 1, escaped)
    if (at === malformed) return malformed
    at = skipSpace(bytes, at)
    if (bytes[at] === closeBrace) return at + 1
    if (bytes[at] !== comma) return malformed
    at = skipSpace(bytes, at + 1)
  }
}

/** `from` is the offset of its opening bracket, `depth` how deep it stands itself. */
export const skipArray = (bytes: Uint8Array, from: number, depth: number, onElement?: OnElement): number => {
  if (depth >= maxDepth) return malformed
  let at = skipSpace(bytes, from + 1)
  if (bytes[at] === closeBracket) return at + 1
  for (;;) {
    at = onElement === undefined ? skipValue(bytes, at, depth + 1) : onElement(at, depth + 1)
    if (at === malformed) return malformed
    at = skipSpace(bytes, at)
    if (bytes[at] === closeBracket) return at + 1
    if (bytes[at] !== comma) return malformed
    at = skipSpace(bytes, at + 1)
  }
}

/** Whether these bytes are exactly a text. */
export const isText = (bytes: Uint8Array, from: number, to: number, text: Uint8Array): boolean =>
  to - from === text.length && standsAt(bytes, from, text)

/**
 * The members of the object that the whole text is, their values skipped by `skip`; undefined if the text is anything
 * else, has more of them than `maxMembers`, or `skip` gave up. The bytes must be valid UTF-8.
 */
export const membersOf = (
  bytes: Uint8Array,
  skip: (key: string, from: number, depth: number) => number = (_key, from, depth) => skipValue(bytes, from, depth),
): ReadonlyArray<Member> | undefined => {
  const from = skipSpace(bytes, 0)
  if (bytes[from] !== openBrace) return undefined
  const members: Array<Member> = []
  const to = skipObject(bytes, from, 0, (keyFrom, keyTo, valueFrom, depth, escaped) => {
    if (members.length === maxMembers) return malformed
    const key = textOf(bytes, { from: keyFrom, to: keyTo })
    const end = skip(key, valueFrom, depth)
    if (end !== malformed) members.push({ key, escaped, from: keyFrom - 1, valueFrom, to: end })
    return end
  })
  return to !== malformed && skipSpace(bytes, to) === bytes.length ? members : undefined
}

// A byte order mark is a character like others: dropped, it would make another name of a member's.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

export const textOf = (bytes: Uint8Array, span: Span): string => decoder.decode(bytes.subarray(span.from, span.to))

/** The value of a span that was scanned before, which cannot fail to parse. */
export const valueAt = (bytes: Uint8Array, from: number, to: number): unknown => JSON.parse(textOf(bytes, { from, to }))
