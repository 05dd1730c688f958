/**
 * Step 5: the call itself. Tried again only while no byte has gone to the client, and only where that can help. If the
 * fiber is interrupted the last call is detached, not cancelled: settlement decides how long it is still read.
 */
import type { ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import { Call, type Ending } from "./Call.ts"
import type { Refusal } from "./Errors.ts"
import type { Kimi } from "./Kimi.ts"
import { type Verdict, verdictOf, verdictOnSilence } from "./KimiErrors.ts"
import * as Metrics from "./Metrics.ts"
import type { Shape } from "./RequestShape.ts"

export interface Forwarding {
  readonly response: ServerResponse
  readonly shape: Shape
  readonly body: Uint8Array
  readonly headers: Readonly<Record<string, string | number>>
  /** How long the client may take nothing of what waits for it. */
  readonly stallMillis: number
  /** Told of each call as it starts, so that its owner can conclude the last one. */
  readonly started: (call: Call) => void
}

/** Further tries after the first. */
const retries = 2
const backOffMillis = 250

const run = (kimi: Kimi["Service"], forwarding: Forwarding): Effect.Effect<Ending> =>
  Effect.callback((resume) => {
    const { response, shape, body, headers, stallMillis, started } = forwarding
    const call = new Call(response, shape, headers, stallMillis)
    started(call)
    call.whenOver((ending) => resume(Effect.succeed(ending)))
    call.start(kimi, body)
    return Effect.sync(() => call.detach())
  })

const pause = Effect.fnUntraced(function* (retry: Exclude<Verdict["retry"], "never">, tried: number) {
  const base = retry === "backOff" ? backOffMillis * 2 ** tried : retry
  yield* Effect.sleep(base + (yield* Random.nextIntBetween(0, backOffMillis)))
})

/** `Complete` and `Broken` are answers; everything else fails with what the client is told. */
export const forward = Effect.fnUntraced(function* (
  kimi: Kimi["Service"],
  forwarding: Forwarding,
): Effect.fn.Return<"Complete" | "Broken", Refusal> {
  for (let tried = 0; ; tried++) {
    const ending = yield* run(kimi, forwarding)
    if (ending._tag === "Complete" || ending._tag === "Broken") return ending._tag
    const verdict =
      ending._tag === "Refused" ? verdictOf(ending.error) : verdictOnSilence(ending._tag === "Failed" && ending.silent)
    yield* Metric.update(Metric.withAttributes(Metrics.upstreamFaults, { reason: verdict.reason }), 1)
    if (verdict.refusal._tag === "UpstreamRefusesUs") {
      yield* Effect.logError(`the upstream refuses us: ${verdict.reason}`)
    }
    if (verdict.retry === "never" || tried >= retries) return yield* Effect.fail(verdict.refusal)
    yield* pause(verdict.retry, tried)
  }
})
