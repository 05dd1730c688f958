/**
 * What secrets look like that nobody told us of: pasted into a chat, printed into a log. Pure data. Invariant: a pattern
 * never matches the word that it is replaced by, so that masking twice changes nothing.
 */
export type SecretKind = "bot token" | "access token" | "API key" | "private key"

/** A Telegram bot token. Colons of pasted URLs may be escaped. Two without a gap go as one match: where the first ends is unknown. */
export const botToken = /(\d{6,12})(?::|%3A)([A-Za-z0-9_-]{30,})(?:(?::|%3A)[A-Za-z0-9_-]{30,})*/gi

/** All others, in the order in which they are to be looked for. */
export const shapes: ReadonlyArray<readonly [SecretKind, RegExp]> = [
  ["private key", /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g],
  ["private key", /AGE-SECRET-KEY-1[A-Z0-9]{20,}/gi],
  ["access token", /bth_[0-9A-Za-z]{16,}/g],
  // From the last `eyJ` of its first part: tried at each of them, a long run without a point would take hours.
  ["access token", /eyJ(?:(?!eyJ)[A-Za-z0-9_-]){8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}/g],
  ["access token", /(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,})/g],
  ["access token", /xox[abeoprs]-[A-Za-z0-9-]{10,}/g],
  ["API key", /(?:sk|pk|rk)[-_](?:live_|test_|proj-|ant-|or-)?[A-Za-z0-9_-]{16,}/g],
  ["API key", /whsec_[A-Za-z0-9+/=]{16,}/g],
  ["API key", /(?:AKIA|ASIA)[0-9A-Z]{16}/g],
  ["API key", /AIza[0-9A-Za-z_-]{30,}/g],
]
