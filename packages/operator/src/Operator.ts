/**
 * The whole operator: takes jobs, keeps agents and asks how they do, while it leads. Needs JobQueue, AgentEvents, Cluster, PodHttp,
 * BotTokens, Lead, Opener and Settings.
 */
import * as Ops from "@berth/domain/Ops"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Cluster } from "./Cluster.ts"
import * as Gauges from "./Gauges.ts"
import { Health } from "./Health.ts"
import { JobIntake } from "./JobIntake.ts"
import { Lead } from "./Lead.ts"
import { Nodes } from "./Nodes.ts"
import { Observing } from "./Observing.ts"
import { Reconciler } from "./Reconciler.ts"
import { Volumes } from "./Volumes.ts"

const work = Layer.effectDiscard(
  Effect.gen(function* () {
    const lead = yield* Lead
    const intake = yield* JobIntake
    const reconciler = yield* Reconciler
    const health = yield* Health
    yield* Effect.forkScoped(
      lead.during(
        Effect.all([intake.run, reconciler.run, health.run(reconciler.look)], {
          concurrency: "unbounded",
          discard: true,
        }).pipe(Effect.andThen(Effect.never)),
      ),
    )
  }),
)

/** Works from its construction until its scope closes. */
export const layer = Layer.mergeAll(work, Gauges.layer).pipe(
  Layer.provide(JobIntake.layer),
  Layer.provideMerge(Reconciler.layer),
  Layer.provideMerge(Health.layer),
  Layer.provideMerge(Volumes.layer),
  Layer.provideMerge(Observing.layer),
  Layer.provide(Nodes.layer),
)

/** While the cluster answers and every informer has been heard of lately, whether this process leads or stands by. */
export const ready = Effect.gen(function* () {
  const cluster = yield* Cluster
  const observing = yield* Observing
  if (!(yield* observing.fresh)) return false
  return yield* Effect.match(cluster.get({ kind: "Agent", name: "readiness" }), {
    onSuccess: () => true,
    onFailure: () => false,
  })
})

/** On `OPERATOR_OPS_PORT` (9095). */
export const ops = Ops.layer({ variable: "OPERATOR_OPS_PORT", port: 9095, ready })
