/**
 * Which tier suits, with its arithmetic in words: messages a day × calls × prompt tokens × 30, and what of it is charged.
 * Pure; the customer may choose otherwise.
 */
import { type SoldTierId, soldTiers, tiers } from "@berth/domain/Tiers"
import { chargeOf } from "@berth/domain/Usage"

/**
 * One message to an OpenClaw agent makes about 2 model calls (the answer, and one tool round) of about 13,000 prompt
 * tokens each: measured on captured requests of 10,000 to 15,000. The second call repeats the first one's prompt, and a
 * quick reply repeats the last turn's, so about three quarters come from the cache and count a sixth.
 */
export const callsPerMessage = 2
export const promptTokens = 13_000
export const cachedShare = 0.75
export const completionTokens = 400
const days = 30
/** A tier is recommended while the expected use leaves a tenth of it free. */
const room = 0.9

export interface Advice {
  readonly tier: SoldTierId
  /** Expected charge of a month. */
  readonly expectedTokens: number
  /** The sum in words. */
  readonly reason: string
}

const chargePerCall = chargeOf({
  prompt: promptTokens,
  cached: Math.round(promptTokens * cachedShare),
  completion: completionTokens,
  reasoning: 0,
})

/** Charged tokens of a month at so many messages a day. */
export const expectedTokens = (messagesPerDay: number): number =>
  messagesPerDay * callsPerMessage * chargePerCall * days

/** "7.8M", "950k". */
export const compactTokens = (tokens: number): string =>
  tokens >= 1_000_000 ? `${Number((tokens / 1_000_000).toFixed(1))}M` : `${Math.max(1, Math.round(tokens / 1_000))}k`

const sum = (messagesPerDay: number): string => {
  const raw = messagesPerDay * callsPerMessage * promptTokens * days
  const messages = `${messagesPerDay} ${messagesPerDay === 1 ? "message" : "messages"} a day`
  return (
    `About ${messages} × ${callsPerMessage} calls × ${promptTokens / 1_000}k tokens × ${days} days ≈ ` +
    `${compactTokens(raw)}. Most of it repeats the call before, is cached and counts a sixth, so with the answers ` +
    `about ${compactTokens(expectedTokens(messagesPerDay))} are charged`
  )
}

/** The cheapest tier that fits, or the chosen one with what that means. */
export const advise = (messagesPerDay: number, chosen: SoldTierId | null): Advice => {
  const expected = expectedTokens(messagesPerDay)
  const fitting = soldTiers.find((tier) => expected <= tiers[tier].monthlyTokens * room) ?? "team"
  const tier = chosen ?? fitting
  const { monthlyTokens, name } = tiers[tier]
  const grant = compactTokens(monthlyTokens)
  const fit =
    expected > monthlyTokens
      ? `, more than ${name}'s ${grant}: the agent would pause before the month ends, so you may want to write less`
      : `, of ${name}'s ${grant}`
  const better =
    chosen === null || chosen === fitting
      ? ""
      : ` I would have suggested ${tiers[fitting].name}, but it is your choice, and you can change it later.`
  return { tier, expectedTokens: expected, reason: `${sum(messagesPerDay)}${fit}.${better}` }
}
