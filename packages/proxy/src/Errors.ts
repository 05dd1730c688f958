/**
 * Every refusal that a client of the proxy can meet: its status, code and words, OpenAI-shaped. PURE table.
 * The choice is made by what OpenClaw does with it: never 402 and never `insufficient_quota`, which lock an agent out for
 * minutes; only "Monthly usage limit reached. …" is shown to the user word for word and not retried, so nothing but a
 * used-up allowance may say it. No text here comes from a store or from our own account at the upstream.
 */
import type { StoreUnavailable } from "@berth/domain/Errors"
import * as Schema from "effect/Schema"

/** No token, a malformed one, or one that nobody has. */
export class InvalidToken extends Schema.TaggedError<InvalidToken>()("InvalidToken", {}, { httpApiStatus: 401 }) {}
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
/** Only requests in flight are in the way, here or at the upstream. */
export class RateLimited extends Schema.TaggedError<RateLimited>()(
  "RateLimited",
  { what: Schema.Literals(["allowance", "upstream"]) },
  { httpApiStatus: 429 },
) {}
export class AgentPaused extends Schema.TaggedError<AgentPaused>()(
  "AgentPaused",
  { url: Schema.String },
  { httpApiStatus: 403 },
) {}
export class AgentBlocked extends Schema.TaggedError<AgentBlocked>()(
  "AgentBlocked",
  { url: Schema.String },
  { httpApiStatus: 403 },
) {}
/** No further period opens: the service ended at `serviceUntil` (epoch ms). */
export class ServiceEnded extends Schema.TaggedError<ServiceEnded>()(
  "ServiceEnded",
  { serviceUntil: Schema.Int, url: Schema.String },
  { httpApiStatus: 403 },
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
  { httpApiStatus: 502 },
) {}
export class RouteUnknown extends Schema.TaggedError<RouteUnknown>()(
  "RouteUnknown",
  { method: Schema.String, path: Schema.String },
  { httpApiStatus: 404 },
) {}

export type Refusal =
  | InvalidToken
  | TokenRevoked
  | InvalidRequest
  | BodyTooLarge
  | BodyEncoded
  | ModelNotFound
  | UsageLimitReached
  | RateLimited
  | AgentPaused
  | AgentBlocked
  | ServiceEnded
  | RecordingBehind
  | StoreUnavailable
  | UpstreamRejected
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

const retry = 2
const invalid = "invalid_request_error"
const denied = "permission_error"
const server = "server_error"

const answers: { readonly [Tag in Refusal["_tag"]]: (refusal: Extract<Refusal, { _tag: Tag }>) => Answer } = {
  InvalidToken: () => ({
    status: 401,
    type: invalid,
    code: "invalid_api_key",
    message: "The proxy token is missing or unknown. Send it as `Authorization: Bearer bth_…`.",
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
  RateLimited: ({ what }) => ({
    status: 429,
    retryAfter: retry,
    type: "rate_limit_exceeded",
    code: "rate_limit_exceeded",
    message:
      what === "allowance"
        ? "Requests in flight hold the rest of your allowance. Try again in a moment."
        : "The model is busy. Try again in a moment.",
  }),
  AgentPaused: ({ url }) => ({
    status: 403,
    type: denied,
    code: "agent_paused",
    message: `Your agent is paused. Resume it at ${url}`,
  }),
  AgentBlocked: ({ url }) => ({
    status: 403,
    type: denied,
    code: "agent_suspended",
    message: `Your agent is suspended. See why at ${url}`,
  }),
  ServiceEnded: ({ serviceUntil, url }) => ({
    status: 403,
    type: denied,
    code: "service_ended",
    message: `Your plan ended on ${dayInWords.format(serviceUntil)}. Renew it at ${url}`,
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
  UpstreamUnavailable: () => ({
    status: 503,
    retryAfter: retry,
    type: server,
    code: "upstream_unavailable",
    message: "The model provider is not answering. Try again in a moment.",
  }),
  UpstreamRefusesUs: ({ reason }) => ({
    // A model that the provider has retired will not come back by trying again; the other two are fixed by operators.
    status: reason === "model" ? 404 : reason === "quota" ? 503 : 502,
    ...(reason === "quota" ? { retryAfter: retry } : {}),
    type: reason === "model" ? invalid : server,
    code: reason === "model" ? "model_not_found" : "upstream_unavailable",
    message:
      reason === "model"
        ? "The model provider does not offer this model at the moment. We have been told."
        : "The model provider is not available to us at the moment. We have been told.",
  }),
  RouteUnknown: ({ method, path }) => ({
    status: 404,
    type: invalid,
    code: "unknown_url",
    message:
      `There is no ${method} ${path.slice(0, 120)} here. ` +
      "Available: POST /v1/chat/completions, GET /v1/models, GET /v1/usage.",
  }),
}

export const answerOf = (refusal: Refusal): Answer => (answers[refusal._tag] as (refusal: Refusal) => Answer)(refusal)

/** The body as every OpenAI client reads it. */
export const bodyOf = (answer: Answer): string =>
  JSON.stringify({
    error: { message: answer.message, type: answer.type, code: answer.code, param: answer.param ?? null },
  })
