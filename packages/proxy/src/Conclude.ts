/**
 * What a call is counted at when it is over, or when its client has gone. Never reached or refused by the upstream: given
 * back. Answered: its last usage, else an estimate from the bytes seen, flagged. Still running with nobody listening: read
 * on for a bound, then cancelled and estimated, in the background. Invariant: each admitted hold is concluded once.
 */
import type { Hold } from "@berth/domain/Allowance"
import { models } from "@berth/domain/Tiers"
import type { Usage } from "@berth/domain/Usage"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Duration from "effect/Duration"
import type { Calibration } from "./Calibration.ts"
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

/** A token for so many bytes of text: fewer tokens than nearly any text has, so that nobody pays for more than was made. */
const bytesPerToken = 6

/** From what was seen alone. PURE. */
export const estimate = (checked: Checked, completion: number, textBytes: number): Usage => ({
  prompt: checked.likelyPrompt,
  cached: 0,
  completion: Math.min(completion, Math.floor(textBytes / bytesPerToken)),
  reasoning: 0,
})

const kinds = ["prompt", "cached", "completion", "reasoning"] as const

/** Nothing that a model reads or writes is longer than its context: a report of more is none. */
const believable = (usage: Usage | undefined, { model }: Checked): Usage | undefined =>
  usage !== undefined && Math.max(...kinds.map((kind) => usage[kind])) <= models[model].contextTokens
    ? usage
    : undefined

/**
 * What an answered call is counted at, and whether by estimate. A report in the midst of an answer that broke off says
 * what the prompt was, and of the completion the least. PURE.
 */
export const countOf = (
  call: Pick<Call, "usage" | "counted" | "ending" | "textBytes">,
  checked: Checked,
  completion: number,
): { readonly usage: Usage; readonly estimated: boolean } => {
  const reported = believable(call.usage, checked)
  const guess = estimate(checked, completion, call.textBytes)
  if (reported === undefined) return { usage: guess, estimated: true }
  if (call.counted || call.ending?._tag === "Complete") return { usage: reported, estimated: false }
  return { usage: { ...reported, completion: Math.max(reported.completion, guess.completion) }, estimated: true }
}

const over = (call: Call): Effect.Effect<void> =>
  Effect.callback((resume) => {
    call.whenOver(() => resume(Effect.void))
  })

export interface Concluding {
  readonly settlement: Settlement["Service"]
  readonly calibration: Calibration["Service"]
  readonly hangUpDrain: Duration.Duration
}

export const conclude = (
  { settlement, calibration, hangUpDrain }: Concluding,
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
    const { usage, estimated } = countOf(call, checked, passage.completion)
    // Of what was not counted nothing can be learnt, least of all from our own estimate.
    if (!estimated && checked.profile !== undefined && usage.prompt > 0) {
      calibration.learn(hold.customerId, checked.model, checked.profile, usage.prompt)
    }
    const settled = settlement.settle({ hold, model: checked.model, usage, estimated, traceId: passage.traceId })
    return Effect.andThen(settled, measure(checked.model, usage, estimated))
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

const measure = Effect.fnUntraced(function* (model: string, usage: Usage, estimated: boolean) {
  for (const kind of kinds) {
    if (usage[kind] > 0) yield* Metric.update(Metric.withAttributes(Metrics.tokens, { kind, model }), usage[kind])
  }
  if (estimated) yield* Metric.update(Metrics.estimated, 1)
})
