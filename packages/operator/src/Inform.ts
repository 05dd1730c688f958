/**
 * Follows one kind of objects for ever: lists, then watches from there, and lists again whenever the watch breaks or
 * falls too far behind. The watch is the fast path; what it may have missed, the list after it shows.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Cluster, Selector } from "./Cluster.ts"
import type { KindName } from "./Kinds.ts"
import type { Stored } from "./Manifest.ts"

export const inform = (
  cluster: Cluster["Service"],
  kind: KindName,
  selector: Selector,
  see: (object: Stored) => void,
): Effect.Effect<never> =>
  Effect.gen(function* () {
    const listed = yield* cluster.list(kind, selector)
    for (const object of listed.items) see(object)
    let place = listed.resourceVersion
    // A server closes watches after a while; going on from the last place loses nothing.
    return yield* Stream.suspend(() => cluster.watch(kind, selector, place)).pipe(
      Stream.runForEach(({ object }) =>
        Effect.sync(() => {
          place = object.metadata.resourceVersion
          see(object)
        }),
      ),
      Effect.andThen(Effect.sleep("100 millis")),
      Effect.forever,
    )
  }).pipe(
    Effect.tapError((error) => Effect.logDebug(`watch of ${kind} ended; it starts again`, error)),
    Effect.retry(
      Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("10 seconds")]).pipe(Schedule.jittered),
    ),
    Effect.orDie,
  )
