/** At least one of every refusal that there is, so that tests can look at all of them. A new one that is missing here does not compile. */
import { StoreUnavailable } from "@berth/domain/Errors"
import * as Errors from "../src/Errors.ts"

const url = "https://berth.example/usage"
const at = Date.UTC(2099, 11, 1)

const samples: { readonly [Tag in Errors.Refusal["_tag"]]: ReadonlyArray<Extract<Errors.Refusal, { _tag: Tag }>> } = {
  InvalidToken: [new Errors.InvalidToken()],
  TokenMistyped: [new Errors.TokenMistyped()],
  ForeignKey: [new Errors.ForeignKey()],
  TooManyBadTokens: [new Errors.TooManyBadTokens({ waitMillis: 1_500 })],
  TokenRevoked: [new Errors.TokenRevoked()],
  NoRoom: [new Errors.NoRoom({ whose: "customer" }), new Errors.NoRoom({ whose: "process" })],
  HttpFault: [new Errors.HttpFault({ status: 400, code: "malformed_request", message: "The Host header is missing." })],
  InternalFault: [new Errors.InternalFault()],
  InvalidRequest: [new Errors.InvalidRequest({ message: "`model` is missing.", param: "model" })],
  BodyTooLarge: [new Errors.BodyTooLarge({ limitBytes: 4_194_304 })],
  BodyEncoded: [new Errors.BodyEncoded()],
  ModelNotFound: [new Errors.ModelNotFound({ model: "kimi-k3", offered: ["kimi-k2.6"] })],
  UsageLimitReached: [new Errors.UsageLimitReached({ limit: 5_000_000, resetsAt: at, topUpUrl: url })],
  DailyLimitReached: [new Errors.DailyLimitReached({ cap: 100_000, resetsAt: at, url })],
  BackgroundLimitReached: [new Errors.BackgroundLimitReached({ cap: 1_000_000, resetsAt: at, url })],
  TrafficStopped: [new Errors.TrafficStopped({ what: "all" }), new Errors.TrafficStopped({ what: "model" })],
  CustomerStopped: [new Errors.CustomerStopped({ url })],
  RateLimited: [new Errors.RateLimited({ what: "allowance" }), new Errors.RateLimited({ what: "upstream" })],
  AgentPaused: [new Errors.AgentPaused({ url })],
  AgentBlocked: [new Errors.AgentBlocked({ url })],
  ServiceEnded: [new Errors.ServiceEnded({ serviceUntil: at, url })],
  RecordingBehind: [new Errors.RecordingBehind()],
  StoreUnavailable: [new StoreUnavailable({ store: "redis", operation: "admit", cause: "down" })],
  UpstreamRejected: [
    new Errors.UpstreamRejected({ status: 400, type: "invalid_request_error", message: "tool_choice is bad" }),
  ],
  ContentDeclined: [new Errors.ContentDeclined()],
  UpstreamUnavailable: [new Errors.UpstreamUnavailable({ reason: "server" })],
  UpstreamRefusesUs: [
    new Errors.UpstreamRefusesUs({ reason: "key" }),
    new Errors.UpstreamRefusesUs({ reason: "quota" }),
    new Errors.UpstreamRefusesUs({ reason: "model" }),
  ],
  RouteUnknown: [new Errors.RouteUnknown({ method: "GET", path: "/v1/files" })],
}

export const refusals: ReadonlyArray<Errors.Refusal> = Object.values(samples).flat()
