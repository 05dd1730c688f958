/** Every refusal of the proxy itself, as OpenClaw meets it. */
import { NoRoom, RecordingBehind, TooManyBadTokens } from "@berth/proxy/Errors"
import * as Effect from "effect/Effect"
import type { Row } from "../Row.ts"
import { normal, type Stage } from "../Stage.ts"
import * as Obstacles from "./Obstacles.ts"

const day = 24 * 3_600_000
const page = String.raw`https:\/\/berth\.example\/usage$`

/** One request, our words each time, and nothing left behind. */
const final = (name: string, obstacle: Row["obstacle"], words: RegExp): Row => ({
  name,
  obstacle,
  requests: [1, 1],
  sees: words,
  again: words,
  next: true,
})

const ended = (stage: Stage) => {
  const at = Date.now() - day
  return Effect.asVoid(
    Effect.acquireRelease(stage.replace({ periodEnd: at, terms: { ...stage.standing, serviceUntil: at } }), () =>
      Effect.orDie(stage.replace({})),
    ),
  )
}

const withToken = (token: string) =>
  Obstacles.request((asked) => ({ ...asked, headers: { ...asked.headers, authorization: `Bearer ${token}` } }))
/** A token that is refused locks OpenClaw's only provider for half a minute at least. */
const lockedOut = (name: string, obstacle: Row["obstacle"]): Row => ({
  name,
  obstacle,
  requests: [1, 1],
  sees: /Authentication failed \(provider returned HTTP 401\)/,
  next: false,
})

export const rows: ReadonlyArray<Row> = [
  { name: "nothing in the way", obstacle: Obstacles.none, requests: [1, 1], sees: normal, next: true },
  final(
    "UsageLimitReached",
    Obstacles.terms({ plan: 5_000, nextPlan: 5_000 }),
    new RegExp(`Monthly usage limit reached\\. Resets December 1, 2099\\. Top up at ${page}`),
  ),
  final("DailyLimitReached", Obstacles.terms({ dailyCap: 100 }), /Daily usage limit reached\. Resets .*UTC/),
  final("AgentPaused", Obstacles.terms({ paused: true }), new RegExp(`Your agent is paused; .* Resume it at ${page}`)),
  final("AgentBlocked", Obstacles.terms({ blocked: true }), new RegExp(`agent is suspended; .* See why at ${page}`)),
  final("ServiceEnded", ended, new RegExp(`Your plan ended on .* Renew it at ${page}`)),
  final("TrafficStopped: all", Obstacles.stopped("all"), /The service is stopped at the moment; /),
  final("TrafficStopped: model", Obstacles.stopped("model:kimi-k2.6"), /This model is stopped at the moment; /),
  final("CustomerStopped", Obstacles.stopped("customer:e2e-agent"), /agent has been stopped by our operators; /),
  {
    name: "ModelNotFound",
    obstacle: Obstacles.requestBody((body) => ({ ...body, model: "kimi-k3" })),
    requests: [1, 1],
    sees: /configured model is unavailable from the provider/,
    next: true,
  },
  {
    name: "InvalidRequest",
    obstacle: Obstacles.requestBody((body) => ({ ...body, n: 2 })),
    requests: [1, 1],
    sees: /provider rejected the request schema or tool payload/,
    next: true,
  },
  {
    name: "BodyTooLarge",
    obstacle: Obstacles.requestBody((body) => ({ ...body, padding: "x".repeat(5 * 1024 * 1024) })),
    requests: [1, 1],
    sees: /Context overflow: prompt too large for the model\. Try \/reset/,
    next: true,
  },
  {
    name: "BodyEncoded",
    obstacle: Obstacles.request((asked) => ({ ...asked, headers: { ...asked.headers, "content-encoding": "gzip" } })),
    requests: [1, 1],
    sees: /provider rejected the request schema or tool payload/,
    next: true,
  },
  {
    name: "RateLimited: the allowance is held for 4 s",
    obstacle: Obstacles.passing(4, Obstacles.heldByAnother),
    requests: [1, 1],
    sees: normal,
    next: true,
  },
  {
    name: "RateLimited: the allowance is held for 14 s",
    obstacle: Obstacles.passing(14, Obstacles.heldByAnother),
    requests: [2, 4],
    sees: normal,
    next: true,
  },
  {
    name: "RecordingBehind for 6 s",
    obstacle: Obstacles.passing(6, Obstacles.refusal(new RecordingBehind())),
    requests: [2, 4],
    sees: normal,
    next: true,
  },
  {
    name: "NoRoom for 6 s",
    obstacle: Obstacles.passing(6, Obstacles.refusal(new NoRoom({ whose: "customer" }))),
    requests: [2, 4],
    sees: normal,
    next: true,
  },
  {
    name: "TooManyBadTokens for 6 s",
    obstacle: Obstacles.passing(6, Obstacles.refusal(new TooManyBadTokens({ waitMillis: 3_000 }))),
    requests: [2, 4],
    sees: normal,
    next: true,
  },
  lockedOut("TokenRevoked", Obstacles.terms({ tokens: [] })),
  lockedOut("InvalidToken", withToken("no-token-at-all")),
  lockedOut("ForeignKey", withToken("sk-proj-0123456789abcdefghijklmnopqrstuvwxyz")),
]
