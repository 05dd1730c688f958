/**
 * Step 5: the call itself. Tried again only while nothing of an answer has come, and only where that can help; a model
 * whose engine is overloaded is not asked at all for a while. If the fiber is interrupted the last call is detached, not
 * cancelled: settlement decides how long it is still read.
 */
import type { ServerResponse } from "node:http"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import { Call, type Ending } from "./Call.ts"
import * as Circuits from "./Circuits.ts"
import { type Refusal, UpstreamUnavailable } from "./Errors.ts"
import { Kimi } from "./Kimi.ts"
import { type Verdict, verdictOf, verdictOnFailure } from "./KimiErrors.ts"
import * as Metrics from "./Metrics.ts"
import type { Shape } from "./RequestShape.ts"

export interface Forwarding {
  readonly model: string
  readonly response: ServerResponse
  readonly shape: Shape
  readonly body: Uint8Array
  readonly headers: Readonly<Record<string, string | number>>
  /** How long the client may take nothing of what waits for it. */
  readonly stallMillis: number
  /** Told of each call before it goes out, so that its owner can stop it, and conclude the last one. */
  readonly started: (call: Call) => void
}

/** Further tries after the first. */
const retries = 2
const backOffMillis = 250
/** What only operators can help is said no more often than this. */
const alertEveryMillis = 60_000

const cancelled = { retry: "never", reason: "cancelled" } as const

/** Undefined where nothing went wrong. */
const verdictOn = (ending: Ending): Verdict | undefined => {
  switch (ending._tag) {
    case "Complete":
      return undefined
    case "Broken":
      return ending.verdict ?? { ...verdictOnFailure("torn"), reason: "broken" }
    case "Refused":
      return verdictOf(ending.error)
    case "Failed":
      return verdictOnFailure(ending.failure)
    case "Cancelled":
      return { refusal: ending.refusal ?? new UpstreamUnavailable({ reason: "cancelled" }), ...cancelled }
  }
}

const pause = Effect.fnUntraced(function* (retry: Exclude<Verdict["retry"], "never">, tried: number) {
  const base = retry === "backOff" ? backOffMillis * 2 ** tried : retry
  yield* Effect.sleep(base + (yield* Random.nextIntBetween(0, backOffMillis)))
})

export class Forward extends Context.Service<
  Forward,
  {
    /** Fails at once while requests for this model are refused. Before anything is held, so that nothing need be given back. */
    ready(model: string): Effect.Effect<void, UpstreamUnavailable>
    /** `Complete` and `Broken` are answers; everything else fails with what the client is told. */
    call(forwarding: Forwarding): Effect.Effect<"Complete" | "Broken", Refusal>
  }
>()("@berth/proxy/Forward") {
  static readonly layer: Layer.Layer<Forward, never, Kimi> = Layer.effect(
    Forward,
    Effect.gen(function* () {
      const kimi = yield* Kimi
      const circuits = yield* Circuits.make
      const alerted = new Map<string, number>()

      const refuse = Effect.fnUntraced(function* () {
        yield* Metric.update(Metric.withAttributes(Metrics.upstreamFaults, { reason: "circuitOpen" }), 1)
        return yield* new UpstreamUnavailable({ reason: "overloaded" })
      })

      const run = (forwarding: Forwarding, begun: () => void): Effect.Effect<Ending> =>
        Effect.callback<Ending>((resume) => {
          const { response, shape, body, headers, stallMillis, started } = forwarding
          const call = new Call(response, shape, headers, stallMillis)
          call.whenBegun(begun)
          call.whenAnswered((ending) => resume(Effect.succeed(ending)))
          started(call)
          call.start(kimi, body)
          return Effect.sync(() => call.detach())
        }).pipe(Effect.withSpan("Forward.call", { kind: "client" }))

      /** Counts each, and tells operators of what only they can help, once in a while. */
      const report = Effect.fnUntraced(function* ({ reason, refusal }: Verdict) {
        yield* Metric.update(Metric.withAttributes(Metrics.upstreamFaults, { reason }), 1)
        if (refusal._tag !== "UpstreamRefusesUs") return
        const now = yield* Clock.currentTimeMillis
        if (now - (alerted.get(reason) ?? Number.NEGATIVE_INFINITY) < alertEveryMillis) return
        alerted.set(reason, now)
        yield* Effect.annotateLogs(Effect.logError(`the upstream refuses us: ${reason}`), { alert: "kimi-refuses-us" })
      })

      return {
        ready: (model) => Effect.suspend(() => (circuits.isOpen(model) ? refuse() : Effect.void)),
        call: Effect.fnUntraced(function* (forwarding) {
          const { model } = forwarding
          for (let tried = 0; ; tried++) {
            const passage = circuits.admit(model)
            if (passage === "refused") return yield* refuse()
            let begun = false
            const ending = yield* run(forwarding, () => {
              begun = true
              circuits.answered(model, passage)
            })
            const verdict = verdictOn(ending)
            if (verdict === undefined) return "Complete"
            yield* report(verdict)
            if (verdict.reason === "overloaded") circuits.overloaded(model, passage)
            if (begun) return "Broken"
            if (verdict.retry === "never" || tried >= retries) return yield* Effect.fail(verdict.refusal)
            yield* pause(verdict.retry, tried)
          }
        }),
      }
    }),
  )
}
