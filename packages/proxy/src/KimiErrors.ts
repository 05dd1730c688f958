/**
 * What an error of the upstream means: what our client is told, and whether another try can help. PURE. Classified by
 * Kimi's `type`, not by status, since both 429 and 403 can mean anything. Invariant: nothing of our own account (its
 * organisation, keys or limits) is ever repeated to a customer.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  ContentDeclined,
  RateLimited,
  type Refusal,
  UpstreamRefusesUs,
  UpstreamRejected,
  UpstreamUnavailable,
} from "./Errors.ts"

export interface UpstreamError {
  readonly status: number
  /** `Retry-After`, as it came. */
  readonly retryAfter: string | undefined
  readonly body: string
}

/**
 * How a call came to nothing without an error that can be read.
 * `unreachable`: no connection, or it broke before anything of an answer. `silent`: no answer for minutes. `empty`: it ended
 * before it began. `unreadable`: an answer that is none, or that cannot be read. `torn`: broke in its midst, unseen.
 */
export type Failure = "unreachable" | "silent" | "empty" | "unreadable" | "torn"

export interface Verdict {
  readonly refusal: Refusal
  /** `never`; `backOff` by our own schedule; or after this many milliseconds. */
  readonly retry: "never" | "backOff" | number
  /** For metrics and logs. */
  readonly reason: string
}

const text = Schema.optionalKey(Schema.NullOr(Schema.String))
const Body = Schema.fromJsonString(Schema.Struct({ error: Schema.Struct({ type: text, message: text }) }))
const decode = Schema.decodeUnknownOption(Body)

/**
 * Removes what names our account: organisation, key and project ids, and anything in angle brackets. The message may
 * quote the customer's request, so this takes time in proportion to its length, whatever it says.
 */
export const scrub = (message: string): string =>
  message
    .replace(/<[^<>]*>/g, "…")
    .replace(/\b(?:org|ak|sk|proj|user|acct|team)-[\w*.•…-]*[\w*]/gi, "…")
    .slice(0, 500)

/** Longest wait that we take upon us; beyond it the client is told to come back. */
const patienceMillis = 10_000
/** Longest wait that a client is told of, in seconds. */
const longestWait = 3_600

/** The wait that is asked for, by the header or in words; a date in the header says nothing to us. */
const secondsIn = ({ retryAfter }: UpstreamError, message: string): number | undefined =>
  [retryAfter, /after (\d+(?:\.\d+)?) seconds?/.exec(message)?.[1]]
    .filter((one) => one !== undefined && /^\d+(?:\.\d+)?$/.test(one))
    .map(Number)[0]

const unavailable = (reason: string): Verdict => ({
  refusal: new UpstreamUnavailable({ reason }),
  retry: "backOff",
  reason,
})
const refusesUs = (reason: UpstreamRefusesUs["reason"]): Verdict => ({
  refusal: new UpstreamRefusesUs({ reason }),
  retry: "never",
  reason,
})
const rejected = (message: string): Verdict => ({
  refusal: new UpstreamRejected({
    status: 400,
    type: "invalid_request_error",
    message: message === "" ? "The model provider rejected the request." : scrub(message),
  }),
  retry: "never",
  reason: "rejected",
})
const rateLimited = (seconds: number | undefined): Verdict => {
  const wait = (seconds ?? 1) * 1_000
  return wait <= patienceMillis
    ? { refusal: new RateLimited({ what: "upstream" }), retry: wait, reason: "rateLimit" }
    : {
        refusal: new RateLimited({ what: "upstream", waitMillis: Math.min(wait, longestWait * 1_000) }),
        retry: "never",
        reason: "rateLimit",
      }
}

export const verdictOf = (error: UpstreamError): Verdict => {
  const told = Option.getOrUndefined(decode(error.body))?.error
  const message = told?.message ?? ""
  // A body that broke off may still say what it is.
  switch (told === undefined ? /"type"\s*:\s*"(\w+)"/.exec(error.body)?.[1] : told.type) {
    case "invalid_request_error":
      return rejected(message)
    case "content_filter":
      return { refusal: new ContentDeclined(), retry: "never", reason: "filtered" }
    case "invalid_authentication_error":
    case "incorrect_api_key_error":
      return refusesUs("key")
    case "exceeded_current_quota_error":
    case "insufficient_quota":
      return refusesUs("quota")
    case "resource_not_found_error":
      return refusesUs("model")
    case "rate_limit_reached_error":
      return rateLimited(secondsIn(error, message))
    case "engine_overloaded_error":
      return unavailable("overloaded")
    // It takes us to have left, which we have not: it may have been completed, so it is not asked for again.
    case "client_closed_request":
      return { ...unavailable("closed"), retry: "never" }
  }
  if (error.status === 401) return refusesUs("key")
  if (error.status === 429) return rateLimited(secondsIn(error, message))
  if (error.status === 499) return { ...unavailable("closed"), retry: "never" }
  if (error.status >= 500) return unavailable("server")
  if (error.status === 400 || error.status === 413 || error.status === 422) return rejected(message)
  return { ...unavailable("unknown"), retry: "never" }
}

/** An error told in an answer that began as 200. Its type says what it is; without one it is a fault of the server. */
export const inBand = (body: string): UpstreamError => ({ status: 500, retryAfter: undefined, body })

/** For a call without an error that can be read. Only one that cannot have cost anything is worth another try. */
export const verdictOnFailure = (failure: Failure): Verdict =>
  failure === "unreachable" || failure === "empty" ? unavailable(failure) : { ...unavailable(failure), retry: "never" }
