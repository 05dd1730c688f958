/**
 * What OpenClaw says at `/readyz`, as 2026.9.6 does: 200 `{"ready":true}`; else 503, and who bears the gateway's token is
 * told what fails. A rejected bot token shows there within seconds; a Telegram that does not answer, or another program on
 * the same bot, after two minutes, and both as `telegram`. Pure.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Verdict } from "./BotTokens.ts"
import type { Findings } from "./Checks.ts"
import type { PodAnswer } from "./PodHttp.ts"

const Readyz = Schema.fromJsonString(
  Schema.Struct({ ready: Schema.Boolean, failing: Schema.optionalKey(Schema.Array(Schema.String)) }),
)

export type Readiness =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Failing"; readonly failing: ReadonlyArray<string> }
  /** Not ready, for a reason that was not told; or no answer of OpenClaw's at all. */
  | { readonly _tag: "Unclear" }

export const readiness = ({ status, body }: PodAnswer): Readiness => {
  const said = Option.getOrUndefined(Schema.decodeUnknownOption(Readyz)(body))
  if (said === undefined) return { _tag: "Unclear" }
  if (status === 200 && said.ready) return { _tag: "Ready" }
  return said.failing === undefined || said.failing.length === 0 || said.ready
    ? { _tag: "Unclear" }
    : { _tag: "Failing", failing: said.failing }
}

/** While these fail, the process starts, stops or renews itself, and says nothing about anything else. */
const inBetween = new Set(["startup-sidecars", "draining", "plugin-reload"])

export const isTelegramDown = ({ failing }: { readonly failing: ReadonlyArray<string> }): boolean =>
  failing.includes("telegram")

/** A channel that is down for less is on its way up again. */
export const downMillis = 120_000

type Asked = Pick<Findings, "botToken" | "telegram" | "data">

/**
 * What follows. `token` is Telegram's own word on the bot's token, asked when the channel is down; `downFor` is for how long
 * it has been, ms.
 */
export const findingsOf = (said: Readiness, token: Verdict, downFor: number): Asked => {
  if (said._tag === "Unclear") return {}
  if (said._tag === "Ready") return { botToken: "accepted", telegram: "connected", data: "open" }
  if (said.failing.some((one) => inBetween.has(one))) return {}
  const data = said.failing.some((one) => one.startsWith("agent-database")) ? "refused" : "open"
  if (!isTelegramDown(said)) return { botToken: "accepted", telegram: "connected", data }
  if (token === "rejected") return { botToken: "rejected", data }
  return {
    ...(token === "accepted" ? { botToken: "accepted" } : {}),
    ...(downFor >= downMillis ? { telegram: "notConnected" } : {}),
    data,
  }
}
