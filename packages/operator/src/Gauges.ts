/** Keeps the operator's gauges up to date, a few times between two scrapes. */
import { Phase } from "@berth/domain/Lifecycle"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { JobIntake } from "./JobIntake.ts"
import { lanes } from "./Lanes.ts"
import { Lead } from "./Lead.ts"
import { at } from "./Manifest.ts"
import * as Metrics from "./Metrics.ts"
import { Observing } from "./Observing.ts"
import { Reconciler } from "./Reconciler.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const lead = yield* Lead
    const { observed, fresh } = yield* Observing
    const reconciler = yield* Reconciler
    const intake = yield* JobIntake

    const set = (gauge: Metric.Gauge<number>, value: number, labels: Record<string, string> = {}) =>
      Metric.update(Metric.withAttributes(gauge, labels), value)

    const queues = Effect.forEach(
      [
        ["agents", reconciler.queue],
        ["jobs", intake.queue],
      ] as const,
      ([queue, keys]) =>
        Effect.forEach(lanes, (lane) =>
          Effect.andThen(
            set(Metrics.queueDepth, keys.waiting()[lane], { queue, lane }),
            set(Metrics.queueAge, keys.oldest()[lane] / 1000, { queue, lane }),
          ),
        ),
      { discard: true },
    )

    const phases = Effect.suspend(() => {
      const counts = new Map<string, number>()
      for (const customer of observed.customers("Agent")) {
        const phase = String(
          at(observed.get(customer, { kind: "Agent", name: customer }), "status", "phase") ?? "pending",
        )
        counts.set(phase, (counts.get(phase) ?? 0) + 1)
      }
      return Effect.forEach(Phase.literals, (phase) => set(Metrics.agents, counts.get(phase) ?? 0, { phase }), {
        discard: true,
      })
    })

    const once = Effect.gen(function* () {
      yield* queues
      yield* phases
      const { running, waiting } = yield* reconciler.starts
      yield* set(Metrics.starts, running, { state: "running" })
      yield* set(Metrics.starts, waiting, { state: "waiting" })
      yield* set(Metrics.observed, observed.size())
      yield* set(Metrics.fresh, (yield* fresh) ? 1 : 0)
      yield* set(Metrics.leading, (yield* lead.leading) ? 1 : 0)
    })
    yield* once.pipe(Effect.andThen(Effect.sleep("5 seconds")), Effect.forever, Effect.forkScoped)
  }),
)
