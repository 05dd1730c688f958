/**
 * Follows one kind of objects for ever: lists, then watches from there. A watch that breaks goes on from the last event that
 * was taken in; only when the server has forgotten that place is everything listed again. Between tries it waits ever longer,
 * up to 10 s, and no longer at all once the server has been heard of.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { Cluster, Selector } from "./Cluster.ts"
import type { KindName } from "./Kinds.ts"
import type { Observed } from "./Observed.ts"

const firstDelay = 200
const longestDelay = 10_000

export interface Signs {
  /** The server was heard of: a list, an event or a bookmark. */
  readonly sign: (kind: KindName) => void
  /** Everything was listed, the first time or again. */
  readonly listed: (kind: KindName) => Effect.Effect<void>
}

export const inform = (
  cluster: Cluster["Service"],
  kind: KindName,
  selector: Selector,
  observed: Pick<Observed, "replace" | "changed" | "gone">,
  signs: Signs,
): Effect.Effect<never> => {
  let failures = 0
  const sign = () => {
    failures = 0
    signs.sign(kind)
  }
  const pause = Effect.gen(function* () {
    const delay = Math.min(longestDelay, firstDelay * 2 ** Math.min(failures++, 10))
    yield* Effect.sleep(Math.round(delay * (0.8 + 0.4 * (yield* Random.next))))
  })
  const list = Effect.gen(function* () {
    const listed = yield* cluster.list(kind, selector)
    observed.replace(kind, listed.items, listed.resourceVersion)
    sign()
    yield* signs.listed(kind)
    return listed.resourceVersion
  })
  return Effect.gen(function* () {
    let place: string | undefined
    const follow = (since: string) =>
      cluster.watch(kind, selector, since, sign).pipe(
        Stream.runForEach(({ type, object }) =>
          Effect.sync(() => {
            if (type === "DELETED") observed.gone(object)
            else observed.changed(object)
            place = object.metadata.resourceVersion
          }),
        ),
      )
    const again = (error: { readonly _tag: string; readonly message: string }) =>
      Effect.logDebug(`watching ${kind} broke off; it starts again`, error).pipe(Effect.andThen(pause))
    while (true) {
      if (place === undefined) place = yield* list.pipe(Effect.catch((error) => Effect.as(again(error), undefined)))
      else
        yield* follow(place).pipe(
          Effect.catchTag("Expired", () =>
            Effect.sync(() => {
              place = undefined
            }),
          ),
          // One that ends or expires at once must not be asked again at once.
          Effect.andThen(pause),
          Effect.catch(again),
        )
    }
  })
}
