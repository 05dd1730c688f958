/**
 * Takes secrets out of a text before it is first written, logged or shown to a model. Pure. Invariant: what is returned as
 * text matches none of the patterns, so filtering it again changes nothing.
 */
import * as Redacted from "effect/Redacted"

export type SecretKind = "bot token" | "access token" | "API key" | "private key" | "card number"

export interface Filtered {
  readonly text: string
  /** Telegram bot tokens in the order they stood. */
  readonly botTokens: ReadonlyArray<Redacted.Redacted<string>>
  /** What was taken out, each kind once. */
  readonly removed: ReadonlyArray<SecretKind>
}

/** Colons of pasted URLs may be escaped. Two tokens without a gap go as one match: where the first ends is unknown. */
const botToken = /(\d{6,12})(?::|%3A)([A-Za-z0-9_-]{30,})(?:(?::|%3A)[A-Za-z0-9_-]{30,})*/gi

const patterns: ReadonlyArray<readonly [SecretKind, RegExp]> = [
  ["private key", /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g],
  ["private key", /AGE-SECRET-KEY-1[A-Z0-9]{20,}/gi],
  ["access token", /bth_[0-9A-Za-z]{16,}/g],
  ["access token", /eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}/g],
  ["access token", /(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,})/g],
  ["access token", /xox[abeoprs]-[A-Za-z0-9-]{10,}/g],
  ["API key", /(?:sk|pk|rk)[-_](?:live_|test_|proj-|ant-|or-)?[A-Za-z0-9_-]{16,}/g],
  ["API key", /whsec_[A-Za-z0-9+/=]{16,}/g],
  ["API key", /(?:AKIA|ASIA)[0-9A-Z]{16}/g],
  ["API key", /AIza[0-9A-Za-z_-]{30,}/g],
]

const passesLuhn = (digits: string): boolean => {
  const sum = [...digits].reverse().reduce((total, char, place) => {
    const doubled = Number(char) * (place % 2 === 1 ? 2 : 1)
    return total + (doubled > 9 ? doubled - 9 : doubled)
  }, 0)
  return sum % 10 === 0
}

const cardNumber = /(?<![+\d])[3-6](?:[ -]?\d){14,15}\b/g

export const filterSecrets = (raw: string): Filtered => {
  const botTokens: Array<Redacted.Redacted<string>> = []
  const removed = new Set<SecretKind>()
  const take = (kind: SecretKind): string => {
    removed.add(kind)
    return `[${kind}]`
  }
  // First of all, since what goes may stand in the middle of a secret: Postgres holds neither NUL nor half a character.
  const storable = raw.replaceAll("\0", "").toWellFormed()
  let text = storable.replace(botToken, (_, id: string, secret: string) => {
    botTokens.push(Redacted.make(`${id}:${secret}`, { label: "bot token" }))
    return take("bot token")
  })
  for (const [kind, pattern] of patterns) text = text.replace(pattern, () => take(kind))
  text = text.replace(cardNumber, (match) => (passesLuhn(match.replace(/\D/g, "")) ? take("card number") : match))
  return { text, botTokens, removed: [...removed] }
}
