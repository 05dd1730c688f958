/**
 * Takes secrets out of an agent's log: the agent's own by their value, in whichever way they are written, all others by
 * their looks. Pure. Invariant: of a secret that is known, nothing is left from which it could be told, also when the log
 * begins or ends in the middle of it: what may be half a line is not shown at all.
 */
import { botToken, shapes } from "@berth/domain/SecretShapes"

const hidden = (kind: string): string => `[${kind}]`

const alphabets = [(text: string) => text, (text: string) => text.replaceAll("+", "-").replaceAll("/", "_")] as const

/**
 * How base64 shows a value in the middle of a longer text, for each of the three places at which it may begin: only what
 * the value alone decides, so a character less at either end.
 */
const inBase64 = (value: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(value, "utf8")
  return [0, 1, 2].flatMap((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString("base64")
      .replace(/=+$/, "")
    const from = offset === 0 ? 0 : offset + 1
    const end = (bytes.length + offset) % 3 === 0 ? whole.length : whole.length - 1
    return alphabets.map((alphabet) => alphabet(whole.slice(from, end)))
  })
}

/** A spelling shorter than this would hide words that are no secret. */
const shortest = 8

/** Every spelling of a value that a log is likely to show. */
const spellings = (value: string): ReadonlyArray<string> => {
  const hex = Buffer.from(value, "utf8").toString("hex")
  return [
    value,
    encodeURIComponent(value),
    JSON.stringify(value).slice(1, -1),
    [...value].reverse().join(""),
    hex,
    hex.toUpperCase(),
    ...inBase64(value),
  ].filter((one) => one.length >= shortest)
}

/** `password=…`, `"apiKey": "…"`, `Authorization: Bearer …`: a value that is named as a secret, unless it is a number. */
const named =
  /((?:authorization|passw(?:or)?d|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential)s?["']?\s*[:=]\s*["']?(?:bearer\s+|basic\s+)?)(?!\[|\d+\b)[^\s"',;\]}]{6,}/gi

/** Terminal colours and other bytes that could stand in the middle of a secret. */
// oxlint-disable-next-line no-control-regex
const control = /\u001B\[[0-9;?]*[ -/]*[@-~]|[\u0000-\u0008\u000B-\u001F\u007F\u200B-\u200F\u2060\uFEFF]/g

/** The end of a private key whose beginning the log no longer holds goes with all that is before it. */
const withoutRest = (text: string): string => {
  const end = /-----END [A-Z ]{0,40}PRIVATE KEY-----/.exec(text)
  if (end === null || text.slice(0, end.index).includes("-----BEGIN")) return text
  return hidden("private key") + text.slice(end.index + end[0].length)
}

/** The text without a secret. `known` are the agent's own. */
export const mask = (text: string, known: ReadonlyArray<string>): string => {
  let masked = text.toWellFormed().replace(control, "")
  const values = known.flatMap(spellings).sort((a, b) => b.length - a.length)
  for (const value of values) masked = masked.replaceAll(value, hidden("secret"))
  masked = withoutRest(masked).replace(botToken, hidden("bot token"))
  for (const [kind, pattern] of shapes) masked = masked.replace(pattern, hidden(kind))
  return masked.replace(named, `$1${hidden("secret")}`)
}

export interface Line {
  /** Epoch ms; null if the line bears no time. */
  readonly at: number | null
  readonly text: string
}

/** Characters of one line, and of all lines, that are shown at most. */
const longestLine = 2_000
const mostCharacters = 256_000

const stamped = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?/

const lineOf = (raw: string): Line => {
  const stamp = stamped.exec(raw)
  const text = (stamp === null ? raw : raw.slice(stamp[0].length)).replaceAll("\t", "  ").trimEnd()
  const at = Date.parse(stamp?.[1] ?? "")
  return {
    at: Number.isNaN(at) ? null : at,
    text: text.length > longestLine ? `${text.slice(0, longestLine - 1)}…` : text,
  }
}

/** A node writes a long line in pieces of 16 KiB and counts each as a line. A piece has no fewer characters than this. */
const pieceCharacters = 4_096
/** Where more was asked for, no fewer pieces come of a log that has more than came: see `logs` of the live Cluster. */
const fewestPieces = 16

/** Whether the log may have begun before these lines, in the middle of the first. */
const mayBeCut = (lines: ReadonlyArray<string>, asked: number): boolean =>
  lines.reduce((pieces, { length }) => pieces + 1 + Math.floor(length / pieceCharacters), 0) >=
  Math.min(asked, fewestPieces)

/**
 * The newest lines of a log as a node gives it, each after its time: asked for one line more than wanted, since the oldest
 * of them may be the rest of a longer one. A last line without its end is still being written. Both are left out.
 */
export const linesOf = (raw: string, wanted: number, known: ReadonlyArray<string>): ReadonlyArray<Line> => {
  const end = raw.lastIndexOf("\n")
  const whole = end === -1 ? [] : raw.slice(0, end).split("\n")
  const kept = whole.slice(Math.max(0, whole.length - wanted))
  if (kept.length === whole.length && mayBeCut(whole, wanted + 1)) kept.shift()
  const lines = kept.length === 0 ? [] : mask(kept.join("\n"), known).split("\n").map(lineOf)
  let room = mostCharacters
  const first = lines.findLastIndex(({ text }) => (room -= text.length) < 0)
  return lines.slice(first + 1)
}
