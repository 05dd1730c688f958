/** What goes wrong with the test cluster, told in words for whoever ran the tests. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export class ClusterFailed extends Schema.TaggedError<ClusterFailed>()("ClusterFailed", { message: Schema.String }) {}

/** Runs what may throw. */
export const attempt = <A>(what: string, run: () => A): Effect.Effect<A, ClusterFailed> =>
  Effect.try({
    try: run,
    catch: (cause) =>
      new ClusterFailed({ message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` }),
  })
