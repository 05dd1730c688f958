/**
 * What a call is counted at when it is over, or when its client has gone. Never reached or refused by the upstream: given
 * back. Answered: its last usage, else an estimate from the bytes seen, flagged. Still running with nobody listening: read
 * on for a bound, then cancelled and estimated, in the background. Invariant: each admitted hold is concluded once.
 */
import type { Hold } from "@berth/domain/Allowance"
import type { Usage } from "@berth/domain/Usage"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Duration from "effect/Duration"
import type { Call } from "./Call.ts"
import type { Checked } from "./Check.ts"
import * as Metrics from "./Metrics.ts"
import type { Release } from "./Queue.ts"
import type { Settlement } from "./Settlement.ts"

/** What one admitted request holds and has come to. */
export interface Passage {
  readonly hold: Hold
  readonly checked: Checked
  /** What the upstream was allowed to complete. */
  readonly completion: number
  readonly traceId: string
  slot: Release | undefined
  call: Call | undefined
}

/** Tokens per byte of text, typical of prose and code. */
const tokensPerByte = 0.25

/** PURE. */
export const estimate = (checked: Checked, completion: number, textBytes: number): Usage => ({
  prompt: checked.likelyPrompt,
  cached: 0,
  completion: Math.min(completion, Math.ceil(textBytes * tokensPerByte)),
  reasoning: 0,
})

const over = (call: Call): Effect.Effect<void> =>
  Effect.callback((resume) => {
    call.whenOver(() => resume(Effect.void))
  })

export const conclude = (
  settlement: Settlement["Service"],
  hangUpDrain: Duration.Duration,
  passage: Passage,
): Effect.Effect<void> => {
  const { hold, checked, call } = passage
  const free = Effect.sync(() => passage.slot?.())
  if (call === undefined || call.ending?._tag === "Refused" || call.ending?._tag === "Failed") {
    return Effect.andThen(free, settlement.giveBack(hold))
  }

  const count = Effect.suspend(() => {
    // Refused, failed or never sent, as it turned out after the client had gone: the upstream took nothing on.
    if (!call.sent || call.ending?._tag === "Refused" || call.ending?._tag === "Failed") {
      return settlement.giveBack(hold)
    }
    const reported = call.usage
    const usage = reported ?? estimate(checked, passage.completion, call.textBytes)
    const settled = settlement.settle({
      hold,
      model: checked.model,
      usage,
      estimated: reported === undefined,
      traceId: passage.traceId,
    })
    return Effect.andThen(settled, measure(checked.model, usage, reported === undefined))
  })
  if (call.ending !== undefined) return Effect.andThen(free, count)

  return settlement.later(
    over(call).pipe(
      Effect.timeoutOrElse({ duration: hangUpDrain, orElse: () => Effect.sync(() => call.cancel()) }),
      // A shutdown ends the wait as well.
      Effect.ensuring(
        Effect.suspend(() => {
          call.cancel()
          return Effect.andThen(free, count)
        }),
      ),
    ),
  )
}

const kinds = ["prompt", "cached", "completion", "reasoning"] as const

const measure = Effect.fnUntraced(function* (model: string, usage: Usage, estimated: boolean) {
  for (const kind of kinds) {
    if (usage[kind] > 0) yield* Metric.update(Metric.withAttributes(Metrics.tokens, { kind, model }), usage[kind])
  }
  if (estimated) yield* Metric.update(Metrics.estimated, 1)
})
