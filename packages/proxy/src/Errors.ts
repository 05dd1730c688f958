/**
 * Every refusal that a client of the proxy can meet: its status, code and words, OpenAI-shaped. PURE table. No text here
 * comes from a store or from our own account at the upstream. The choice is made by what OpenClaw does with an answer
 * (docs/errors.md). It locks its agent out for minutes on 401, 402, 403 and whatever sounds like billing, so none but a
 * token that will never work again may say 401, and nothing else the others. It shows its user our words, and asks no
 * second time, if they name a daily or monthly limit and a plan or a reset (hence "plan and monthly limit" below, which
 * reads oddly but must stay) in at most 300 characters; else it retries what may pass, unseen, and answers in words of
 * its own. Only a used-up allowance may begin "Monthly usage limit reached".
 */
import type { StoreUnavailable } from "@berth/domain/Errors"
import * as Schema from "effect/Schema"

/** No token, a malformed one, or one that nobody has. */
export class InvalidToken extends Schema.TaggedError<InvalidToken>()("InvalidToken", {}, { httpApiStatus: 401 }) {}
/** It begins like a token of ours, but its checksum does not match. */
export class TokenMistyped extends Schema.TaggedError<TokenMistyped>()("TokenMistyped", {}, { httpApiStatus: 401 }) {}
/** A key of another service, sent to us by mistake: nobody but its owner can undo that. */
export class ForeignKey extends Schema.TaggedError<ForeignKey>()("ForeignKey", {}, { httpApiStatus: 401 }) {}
/** The address had too many unknown tokens looked up; the next may be in `waitMillis`. */
export class TooManyBadTokens extends Schema.TaggedError<TooManyBadTokens>()(
  "TooManyBadTokens",
  { waitMillis: Schema.Int },
  { httpApiStatus: 429 },
) {}
/** The token was the customer's once. */
export class TokenRevoked extends Schema.TaggedError<TokenRevoked>()("TokenRevoked", {}, { httpApiStatus: 401 }) {}
/** `param` names the offending member, where there is one. */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()(
  "InvalidRequest",
  { message: Schema.String, param: Schema.NullOr(Schema.String) },
  { httpApiStatus: 400 },
) {}
export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>()(
  "BodyTooLarge",
  { limitBytes: Schema.Int },
  { httpApiStatus: 413 },
) {}
export class BodyEncoded extends Schema.TaggedError<BodyEncoded>()("BodyEncoded", {}, { httpApiStatus: 415 }) {}
/** Requests under way fill the room that the customer's, or all, may take up. */
export class NoRoom extends Schema.TaggedError<NoRoom>()(
  "NoRoom",
  { whose: Schema.Literals(["customer", "process"]) },
  { httpApiStatus: 503 },
) {}
/** The request is at fault as HTTP, whatever it asks for. */
export class HttpFault extends Schema.TaggedError<HttpFault>()(
  "HttpFault",
  { status: Schema.Int, code: Schema.String, message: Schema.String },
  { httpApiStatus: 400 },
) {}
/** A fault of ours; what it is stands in the log alone. */
export class InternalFault extends Schema.TaggedError<InternalFault>()("InternalFault", {}, { httpApiStatus: 500 }) {}
export class ModelNotFound extends Schema.TaggedError<ModelNotFound>()(
  "ModelNotFound",
  { model: Schema.String, offered: Schema.Array(Schema.String) },
  { httpApiStatus: 404 },
) {}
/** The allowance is used up. `resetsAt` in epoch ms; `topUpUrl` is where more can be bought. */
export class UsageLimitReached extends Schema.TaggedError<UsageLimitReached>()(
  "UsageLimitReached",
  { limit: Schema.Int, resetsAt: Schema.Int, topUpUrl: Schema.String },
  { httpApiStatus: 429 },
) {}
/** The customer's own cap for a UTC day is used up until `resetsAt` (epoch ms); `url` is where it can be changed. */
export class DailyLimitReached extends Schema.TaggedError<DailyLimitReached>()(
  "DailyLimitReached",
  { cap: Schema.Int, resetsAt: Schema.Int, url: Schema.String },
  { httpApiStatus: 429 },
) {}
/** Background turns have used their share of the period. */
export class BackgroundLimitReached extends Schema.TaggedError<BackgroundLimitReached>()(
  "BackgroundLimitReached",
  { cap: Schema.Int, resetsAt: Schema.Int, url: Schema.String },
  { httpApiStatus: 429 },
) {}
/** Operators have stopped all traffic or this model, or (as `CustomerStopped`) this customer. */
export class TrafficStopped extends Schema.TaggedError<TrafficStopped>()(
  "TrafficStopped",
  { what: Schema.Literals(["all", "model"]) },
  { httpApiStatus: 423 },
) {}
export class CustomerStopped extends Schema.TaggedError<CustomerStopped>()(
  "CustomerStopped",
  { url: Schema.String },
  { httpApiStatus: 423 },
) {}
/** Only requests in flight are in the way, here or at the upstream; there perhaps for `waitMillis`. */
export class RateLimited extends Schema.TaggedError<RateLimited>()(
  "RateLimited",
  { what: Schema.Literals(["allowance", "upstream"]), waitMillis: Schema.optionalKey(Schema.Int) },
  { httpApiStatus: 429 },
) {}
export class AgentPaused extends Schema.TaggedError<AgentPaused>()(
  "AgentPaused",
  { url: Schema.String },
  { httpApiStatus: 423 },
) {}
export class AgentBlocked extends Schema.TaggedError<AgentBlocked>()(
  "AgentBlocked",
  { url: Schema.String },
  { httpApiStatus: 423 },
) {}
/** No further period opens: the service ended at `serviceUntil` (epoch ms). */
export class ServiceEnded extends Schema.TaggedError<ServiceEnded>()(
  "ServiceEnded",
  { serviceUntil: Schema.Int, url: Schema.String },
  { httpApiStatus: 423 },
) {}
/** Too much settled usage waits to be recorded. */
export class RecordingBehind extends Schema.TaggedError<RecordingBehind>()(
  "RecordingBehind",
  {},
  { httpApiStatus: 503 },
) {}
/** The upstream found fault with the request itself; its words, scrubbed. */
export class UpstreamRejected extends Schema.TaggedError<UpstreamRejected>()(
  "UpstreamRejected",
  { status: Schema.Int, type: Schema.String, message: Schema.String },
  { httpApiStatus: 400 },
) {}
/** The upstream's filter took exception to what was said. */
export class ContentDeclined extends Schema.TaggedError<ContentDeclined>()(
  "ContentDeclined",
  {},
  { httpApiStatus: 400 },
) {}
/** Down, overloaded or out of reach, after our own retries. */
export class UpstreamUnavailable extends Schema.TaggedError<UpstreamUnavailable>()(
  "UpstreamUnavailable",
  { reason: Schema.String },
  { httpApiStatus: 503 },
) {}
/** The upstream refuses us: key, quota or model map. Only operators can help. */
export class UpstreamRefusesUs extends Schema.TaggedError<UpstreamRefusesUs>()(
  "UpstreamRefusesUs",
  { reason: Schema.Literals(["key", "quota", "model"]) },
  { httpApiStatus: 424 },
) {}
export class RouteUnknown extends Schema.TaggedError<RouteUnknown>()(
  "RouteUnknown",
  { method: Schema.String, path: Schema.String },
  { httpApiStatus: 404 },
) {}

export type Refusal =
  | InvalidToken
  | TokenMistyped
  | ForeignKey
  | TooManyBadTokens
  | TokenRevoked
  | NoRoom
  | HttpFault
  | InternalFault
  | InvalidRequest
  | BodyTooLarge
  | BodyEncoded
  | ModelNotFound
  | UsageLimitReached
  | DailyLimitReached
  | BackgroundLimitReached
  | TrafficStopped
  | CustomerStopped
  | RateLimited
  | AgentPaused
  | AgentBlocked
  | ServiceEnded
  | RecordingBehind
  | StoreUnavailable
  | UpstreamRejected
  | ContentDeclined
  | UpstreamUnavailable
  | UpstreamRefusesUs
  | RouteUnknown

export interface Answer {
  readonly status: number
  /** Seconds for `Retry-After`. OpenClaw recovers by itself after 2 and gives up on long ones. */
  readonly retryAfter?: number
  readonly type: string
  readonly code: string | null
  readonly param?: string | null
  readonly message: string
}

const dayInWords = new Intl.DateTimeFormat("en-US", { timeZone: "UTC", dateStyle: "long" })

const timeInWords = new Intl.DateTimeFormat("en-US", {
  timeZone: "UTC",
  dateStyle: "long",
  timeStyle: "long",
})

const retry = 2
const invalid = "invalid_request_error"
const denied = "permission_error"
const server = "server_error"
const untouched = "your plan and monthly limit are not touched."

const answers: { readonly [Tag in Refusal["_tag"]]: (refusal: Extract<Refusal, { _tag: Tag }>) => Answer } = {
  InvalidToken: () => ({
    status: 401,
    type: invalid,
    code: "invalid_api_key",
    message: "The proxy token is missing or unknown. Send it as `Authorization: Bearer bth_…`.",
  }),
  TokenMistyped: () => ({
    status: 401,
    type: invalid,
    code: "invalid_api_key",
    message: "This proxy token is mistyped or cut off: its checksum does not match. Copy it again, all of it.",
  }),
  ForeignKey: () => ({
    status: 401,
    type: invalid,
    code: "invalid_api_key",
    message:
      "This is a key of another service, not a proxy token. Send the agent's proxy token (`bth_…`) instead, and revoke " +
      "that key where it was made: it has left your hands, so consider it leaked.",
  }),
  TooManyBadTokens: ({ waitMillis }) => ({
    status: 429,
    retryAfter: Math.ceil(waitMillis / 1_000),
    type: "rate_limit_exceeded",
    code: "too_many_bad_tokens",
    message: "Too many unknown proxy tokens came from your address. Check the token, then try again in a moment.",
  }),
  TokenRevoked: () => ({
    status: 401,
    type: invalid,
    code: "invalid_api_key",
    message: "This proxy token has been revoked. The agent's current one is in its environment after a restart.",
  }),
  InvalidRequest: ({ message, param }) => ({ status: 400, type: invalid, code: null, param, message }),
  BodyTooLarge: ({ limitBytes }) => ({
    status: 413,
    type: invalid,
    code: "request_too_large",
    message: `The request body is larger than ${limitBytes} bytes, the most that is accepted.`,
  }),
  BodyEncoded: () => ({
    status: 415,
    type: invalid,
    code: "unsupported_encoding",
    message: "Request bodies are read as plain UTF-8 JSON: send no Content-Encoding.",
  }),
  NoRoom: ({ whose }) => ({
    status: whose === "customer" ? 429 : 503,
    retryAfter: retry,
    type: whose === "customer" ? "rate_limit_exceeded" : server,
    code: whose === "customer" ? "rate_limit_exceeded" : "overloaded",
    message:
      whose === "customer"
        ? "Too many of your requests are under way at once. Try again in a moment."
        : "Too many requests are under way at once. Try again in a moment.",
  }),
  HttpFault: ({ status, code, message }) => ({
    status,
    ...(status === 429 ? { retryAfter: retry } : {}),
    type: status === 429 ? "rate_limit_exceeded" : invalid,
    code,
    message,
  }),
  InternalFault: () => ({
    status: 500,
    type: server,
    code: "internal_error",
    message: "Something went wrong on our side. It has been logged.",
  }),
  ModelNotFound: ({ model, offered }) => ({
    status: 404,
    type: invalid,
    code: "model_not_found",
    param: "model",
    message: `The model ${JSON.stringify(model.slice(0, 80))} is not part of your plan. Available: ${offered.join(", ")}.`,
  }),
  UsageLimitReached: ({ resetsAt, topUpUrl }) => ({
    status: 429,
    type: "usage_limit_reached",
    code: "usage_limit_reached",
    message: `Monthly usage limit reached. Resets ${dayInWords.format(resetsAt)}. Top up at ${topUpUrl}`,
  }),
  DailyLimitReached: ({ resetsAt, url }) => ({
    status: 429,
    type: "usage_limit_reached",
    code: "daily_limit_reached",
    message: `Daily usage limit reached. Resets ${timeInWords.format(resetsAt)}. Change it at ${url}`,
  }),
  BackgroundLimitReached: ({ resetsAt, url }) => ({
    status: 429,
    type: "usage_limit_reached",
    code: "background_limit_reached",
    message:
      "Monthly limit of background turns reached: heartbeats and scheduled turns have used their share. " +
      `Resets ${dayInWords.format(resetsAt)}. See ${url}`,
  }),
  TrafficStopped: ({ what }) => ({
    status: 423,
    type: denied,
    code: what === "all" ? "service_stopped" : "model_stopped",
    message:
      `${what === "all" ? "The service" : "This model"} is stopped at the moment; ${untouched} ` +
      (what === "all" ? "We are working on it." : "Choose another with /model, or wait: we are working on it."),
  }),
  CustomerStopped: ({ url }) => ({
    status: 423,
    type: denied,
    code: "agent_stopped",
    message: `Your agent has been stopped by our operators; its plan and monthly limit wait for it. See why at ${url}`,
  }),
  RateLimited: ({ what, waitMillis }) => ({
    status: 429,
    retryAfter: waitMillis === undefined ? retry : Math.ceil(waitMillis / 1_000),
    type: "rate_limit_exceeded",
    code: "rate_limit_exceeded",
    message:
      what === "allowance"
        ? "Requests in flight hold the rest of your allowance. Try again in a moment."
        : "The model is busy. Try again in a moment.",
  }),
  AgentPaused: ({ url }) => ({
    status: 423,
    type: denied,
    code: "agent_paused",
    message: `Your agent is paused; its plan and monthly limit stay as they are. Resume it at ${url}`,
  }),
  AgentBlocked: ({ url }) => ({
    status: 423,
    type: denied,
    code: "agent_suspended",
    message: `Your agent is suspended; its plan and monthly limit wait for it. See why at ${url}`,
  }),
  ServiceEnded: ({ serviceUntil, url }) => ({
    status: 423,
    type: denied,
    code: "service_ended",
    message: `Your plan ended on ${dayInWords.format(serviceUntil)}, and its monthly limit with it. Renew it at ${url}`,
  }),
  RecordingBehind: () => ({
    status: 503,
    retryAfter: retry,
    type: server,
    code: "recording_behind",
    message: "Usage cannot be recorded at the moment, so nothing is admitted. Try again in a moment.",
  }),
  StoreUnavailable: () => ({
    status: 503,
    retryAfter: retry,
    type: server,
    code: "store_unavailable",
    message: "Your allowance cannot be checked at the moment. Try again in a moment.",
  }),
  UpstreamRejected: ({ status, type, message }) => ({ status, type, code: null, message }),
  ContentDeclined: () => ({
    status: 400,
    type: "content_filter",
    code: "content_declined",
    message:
      "The model provider declines this conversation by its rules on content, whatever your plan and monthly limit. " +
      "Say it in another way, or begin anew with /new.",
  }),
  UpstreamUnavailable: () => ({
    status: 503,
    retryAfter: retry,
    type: server,
    code: "upstream_unavailable",
    message: "The model provider is not answering. Try again in a moment.",
  }),
  UpstreamRefusesUs: ({ reason }) => ({
    status: 424,
    type: "failed_dependency",
    code: reason === "model" ? "upstream_model_missing" : "upstream_refused",
    message:
      `The model provider ${reason === "model" ? "does not offer this model" : "is not available to us"} at the moment; ` +
      `${untouched} We have been told.`,
  }),
  RouteUnknown: ({ method, path }) => ({
    status: 404,
    type: invalid,
    code: "unknown_url",
    message:
      `There is no ${method} ${path.slice(0, 120)} here. ` +
      "Available: POST /v1/chat/completions, GET /v1/models, GET /v1/models/{id}, GET /v1/usage.",
  }),
}

export const answerOf = (refusal: Refusal): Answer => (answers[refusal._tag] as (refusal: Refusal) => Answer)(refusal)

/**
 * The same for a heartbeat, every half hour: OpenClaw takes a text that ends so for one with nothing to tell, where its user
 * would be told of each refusal else. What may pass is tried again as ever.
 */
export const quietly = (answer: Answer): Answer =>
  answer.retryAfter === undefined ? { ...answer, message: `${answer.message} HEARTBEAT_OK` } : answer

/** The body as every OpenAI client reads it. */
export const bodyOf = (answer: Answer): string =>
  JSON.stringify({
    error: { message: answer.message, type: answer.type, code: answer.code, param: answer.param ?? null },
  })
