/** The whole operator: takes jobs and keeps agents, while it leads. Needs JobQueue, AgentEvents, Cluster, Lead, Opener and Settings. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { JobIntake } from "./JobIntake.ts"
import { Lead } from "./Lead.ts"
import { Reconciler } from "./Reconciler.ts"

const work = Layer.effectDiscard(
  Effect.gen(function* () {
    const lead = yield* Lead
    const intake = yield* JobIntake
    const reconciler = yield* Reconciler
    yield* Effect.forkScoped(
      lead.during(
        Effect.all([intake.run, reconciler.run], { concurrency: "unbounded", discard: true }).pipe(
          Effect.andThen(Effect.never),
        ),
      ),
    )
  }),
)

/** Works from its construction until its scope closes. */
export const layer = work.pipe(Layer.provide(JobIntake.layer), Layer.provideMerge(Reconciler.layer))
