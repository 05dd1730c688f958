/** The whole operator: takes jobs and keeps agents, while it leads. Needs JobQueue, AgentEvents, Cluster, Lead, Opener and Settings. */
import * as Ops from "@berth/domain/Ops"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Cluster } from "./Cluster.ts"
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

/** `OPERATOR_OPS_PORT` (9095): ready while the cluster answers, whether this process leads or stands by. */
export const ops = Ops.layer({
  variable: "OPERATOR_OPS_PORT",
  port: 9095,
  ready: Effect.match(
    Cluster.use((cluster) => cluster.get({ kind: "Agent", name: "readiness" })),
    { onSuccess: () => true, onFailure: () => false },
  ),
})
