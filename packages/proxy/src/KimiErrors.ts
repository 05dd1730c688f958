/**
 * What an error of the upstream means: what our client is told, and whether another try can help. PURE. Classified by
 * Kimi's `type`, not by status, since both 429 and 403 can mean anything. Invariant: nothing of our own account (its
 * organisation, keys or limits) is ever repeated to a customer.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { RateLimited, type Refusal, UpstreamRefusesUs, UpstreamRejected, UpstreamUnavailable } from "./Errors.ts"

export interface UpstreamError {
  readonly status: number
  /** `Retry-After`, as it came. */
  readonly retryAfter: string | undefined
  readonly body: string
}

export interface Verdict {
  readonly refusal: Refusal
  /** `never`; `backOff` by our own schedule; or after this many milliseconds. */
  readonly retry: "never" | "backOff" | number
  /** For metrics and logs. */
  readonly reason: string
}

const Body = Schema.fromJsonString(
  Schema.Struct({
    error: Schema.Struct({ type: Schema.optionalKey(Schema.NullOr(Schema.String)), message: Schema.String }),
  }),
)
const decode = Schema.decodeUnknownOption(Body)

/** Removes what names our account: organisation, key and project ids, and anything in angle brackets. */
export const scrub = (message: string): string =>
  message
    .replace(/<[^>]*>/g, "…")
    .replace(/\b(?:org|ak|sk|proj|user)-[A-Za-z0-9_-]+/g, "…")
    .slice(0, 500)

/** Longest wait that we take upon us; beyond it the client is told to come back. */
const patienceMillis = 10_000

const secondsIn = ({ retryAfter }: UpstreamError, message: string): number | undefined => {
  const named = retryAfter ?? /after (\d+(?:\.\d+)?) seconds?/.exec(message)?.[1]
  const seconds = Number(named)
  return named === undefined || !Number.isFinite(seconds) || seconds < 0 ? undefined : seconds
}

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

export const verdictOf = (error: UpstreamError): Verdict => {
  const decoded = Option.getOrUndefined(decode(error.body))
  const type = decoded?.error.type ?? ""
  const message = decoded?.error.message ?? ""
  switch (type) {
    case "invalid_request_error":
    case "content_filter":
      return {
        refusal: new UpstreamRejected({ status: 400, type: "invalid_request_error", message: scrub(message) }),
        retry: "never",
        reason: "rejected",
      }
    case "invalid_authentication_error":
    case "incorrect_api_key_error":
      return refusesUs("key")
    case "exceeded_current_quota_error":
      return refusesUs("quota")
    case "resource_not_found_error":
      return refusesUs("model")
    case "rate_limit_reached_error": {
      const seconds = secondsIn(error, message) ?? 1
      return {
        refusal: new RateLimited({ what: "upstream" }),
        retry: seconds * 1_000 <= patienceMillis ? seconds * 1_000 : "never",
        reason: "rateLimit",
      }
    }
    case "engine_overloaded_error":
      return unavailable("overloaded")
  }
  if (error.status === 401) return refusesUs("key")
  if (error.status === 429) return { ...unavailable("rateLimit"), refusal: new RateLimited({ what: "upstream" }) }
  if (error.status >= 500) return unavailable("server")
  if (error.status === 400 || error.status === 413 || error.status === 422) {
    return {
      refusal: new UpstreamRejected({
        status: 400,
        type: "invalid_request_error",
        message: message === "" ? "The model provider rejected the request." : scrub(message),
      }),
      retry: "never",
      reason: "rejected",
    }
  }
  return { ...unavailable("unknown"), retry: "never" }
}

/** For a call without an answer. */
export const verdictOnSilence = (silent: boolean): Verdict =>
  silent ? { ...unavailable("silent"), retry: "never" } : unavailable("unreachable")
