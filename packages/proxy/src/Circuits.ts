/** The circuits of all models in this process, with their metric and their lines in the log. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Circuit from "./Circuit.ts"
import * as Metrics from "./Metrics.ts"

export interface Circuits {
  /** Whether a request for the model would be refused now. Takes nothing. */
  readonly isOpen: (model: string) => boolean
  readonly admit: (model: string) => Circuit.Passage
  /** An answer of this request's began. */
  readonly answered: (model: string, passage: Circuit.Passage) => void
  readonly overloaded: (model: string, passage: Circuit.Passage) => void
}

export const make: Effect.Effect<Circuits> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const circuits = new Map<string, Circuit.Circuit>()
  const now = () => clock.currentTimeMillisUnsafe()
  const of = (model: string) => circuits.get(model) ?? Circuit.closed(now())

  const become = (model: string, next: Circuit.Circuit): void => {
    const before = circuits.get(model)?._tag ?? "Closed"
    circuits.set(model, next)
    if (before === next._tag) return
    const isOpen = next._tag === "Open"
    Metric.withAttributes(Metrics.circuitOpen, { model }).updateUnsafe(isOpen ? 1 : 0, context)
    const line = isOpen
      ? Effect.logWarning(`the upstream's engine for ${model} is overloaded: its requests are refused until it answers`)
      : Effect.logInfo(`the upstream's engine for ${model} answers again`)
    Effect.runForkWith(context)(line)
  }

  return {
    isOpen: (model) => Circuit.isOpen(of(model), now()),
    admit: (model) => {
      const [passage, next] = Circuit.admit(of(model), now())
      become(model, next)
      return passage
    },
    answered: (model, passage) => become(model, Circuit.answered(of(model), passage, now())),
    overloaded: (model, passage) => become(model, Circuit.overloaded(of(model), passage, now())),
  }
})
