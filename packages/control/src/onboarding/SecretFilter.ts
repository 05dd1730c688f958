/**
 * Takes secrets out of a text before it is first written, logged or shown to a model. Pure. Invariant: what is returned as
 * text matches none of the patterns, so filtering it again changes nothing.
 */
import { botToken, type SecretKind as Shaped, shapes } from "@berth/domain/SecretShapes"
import * as Redacted from "effect/Redacted"

export type SecretKind = Shaped | "card number"

export interface Filtered {
  readonly text: string
  /** Telegram bot tokens in the order they stood. */
  readonly botTokens: ReadonlyArray<Redacted.Redacted<string>>
  /** What was taken out, each kind once. */
  readonly removed: ReadonlyArray<SecretKind>
}

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
  for (const [kind, pattern] of shapes) text = text.replace(pattern, () => take(kind))
  text = text.replace(cardNumber, (match) => (passesLuhn(match.replace(/\D/g, "")) ? take("card number") : match))
  return { text, botTokens, removed: [...removed] }
}
