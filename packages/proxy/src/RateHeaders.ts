/**
 * What an answer's headers tell of the allowance. PURE. The names and the spelling of `x-ratelimit-*` are OpenAI's (its
 * guide "Rate limits", section "Rate limits in headers"): counts, and the time until the reset in Go's notation, such as
 * `6m0s`, which clients such as go-openai parse. What OpenAI has no name for is `x-berth-*`.
 */
import * as DateTime from "effect/DateTime"

/** Amounts are charged tokens, times epoch ms. */
export interface Standing {
  readonly limit: number
  /** limit − used − held. */
  readonly remaining: number
  readonly periodEnd: number
}

/** Whole seconds as Go writes a duration: `720h0m0s`, `6m0s`, `1s`, `0s`. */
export const goDuration = (millis: number): string => {
  const seconds = Math.max(0, Math.ceil(millis / 1_000))
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  return (hours > 0 ? `${hours}h` : "") + (minutes > 0 ? `${minutes - hours * 60}m` : "") + `${seconds - minutes * 60}s`
}

export const rateHeaders = ({ limit, remaining, periodEnd }: Standing, now: number) => ({
  "x-ratelimit-limit-tokens": String(limit),
  "x-ratelimit-remaining-tokens": String(Math.max(0, remaining)),
  "x-ratelimit-reset-tokens": goDuration(periodEnd - now),
  "x-berth-period-end": DateTime.formatIso(DateTime.makeUnsafe(periodEnd)),
})

/** What was held for this one call, and the most that the model was asked to complete: less than requested near the limit. */
export const holdHeaders = ({ ask, completion }: { readonly ask: number; readonly completion: number }) => ({
  "x-berth-hold-tokens": String(ask),
  "x-berth-completion-limit": String(completion),
})
