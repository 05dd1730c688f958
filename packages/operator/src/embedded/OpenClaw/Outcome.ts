/**
 * What OpenClaw does with each answer of its provider, as measured on 2026.9: which are tried again and when, and what
 * its user reads. Pure.
 */

export type Answer =
  | { readonly _tag: "Reply"; readonly text: string }
  /** The stream ended without finish_reason and [DONE], or broke. */
  | { readonly _tag: "CutOff" }
  | { readonly _tag: "Unreachable" }
  | {
      readonly _tag: "Refused"
      readonly status: number
      readonly code: string
      readonly message: string
      /** Seconds. */
      readonly retryAfter: number | undefined
    }

export type Next =
  | { readonly _tag: "Say"; readonly text: string; readonly remember: boolean }
  | { readonly _tag: "Again"; readonly afterMillis: number }

const mostTries = 8
/** A wait longer than this is not waited for. */
const patience = 60

const say = (text: string): Next => ({ _tag: "Say", text, remember: false })

/** `tries` counts the requests made so far for this message, at least 1. */
export const next = (answer: Answer, tries: number): Next => {
  const backoff: Next =
    tries < mostTries
      ? { _tag: "Again", afterMillis: Math.min(1_000 * 2 ** (tries - 1), 20_000) }
      : say("The model provider had an internal error. Please try again later.")
  if (answer._tag === "Reply") return { _tag: "Say", text: answer.text, remember: true }
  if (answer._tag === "CutOff")
    return tries < 3 ? { _tag: "Again", afterMillis: 5_000 } : say("The model's answer broke off. Please try again.")
  if (answer._tag === "Unreachable" || answer.status >= 500) return backoff
  if (answer.status === 402 || answer.code === "insufficient_quota")
    return say("Billing error: your API key has run out of credits.")
  if (answer.status === 429 && answer.message.startsWith("Monthly usage limit reached")) return say(answer.message)
  if (answer.status === 429) {
    if (answer.retryAfter === undefined) return backoff
    if (answer.retryAfter > patience || tries >= mostTries)
      return say("The model provider is rate limiting. Please try again later.")
    return { _tag: "Again", afterMillis: answer.retryAfter * 1_000 }
  }
  if (answer.status === 401 || answer.status === 403)
    return say("Authentication failed. The provider refused this agent's key.")
  return say(`The model provider refused the request (${answer.status}).`)
}
