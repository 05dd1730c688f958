/** When what happened to which customer, as a watch of the bench's own sees it. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Cluster } from "../src/Cluster.ts"
import { customerLabel } from "../src/desired/Names.ts"
import { at } from "../src/Manifest.ts"

export interface Seen {
  /** When the last object of an agent stood: its Deployment comes after all others. */
  applied?: number
  /** When its pod was Ready for the first time. */
  ready?: number
}

/** Follows Deployments for as long as the scope lasts. Times are of `performance.now()`. */
export const watching = Effect.fn(function* (cluster: Cluster["Service"]) {
  const seen = new Map<string, Seen>()
  const waiting = new Map<string, Deferred.Deferred<number>>()
  const note = (customer: string, what: keyof Seen) => {
    const one = seen.get(customer) ?? {}
    seen.set(customer, one)
    if (one[what] !== undefined) return
    one[what] = performance.now()
    const waiter = waiting.get(`${customer} ${what}`)
    if (waiter !== undefined) Deferred.doneUnsafe(waiter, Effect.succeed(one[what]))
  }
  const { resourceVersion } = yield* cluster.list("Deployment", { labels: { [customerLabel]: "" } })
  yield* cluster.watch("Deployment", { labels: { [customerLabel]: "" } }, resourceVersion).pipe(
    Stream.runForEach(({ object }) =>
      Effect.sync(() => {
        const customer = object.metadata.labels?.[customerLabel] ?? ""
        note(customer, "applied")
        if (at(object, "status", "readyReplicas") === 1) note(customer, "ready")
      }),
    ),
    Effect.orDie,
    Effect.forkScoped,
  )
  const until = Effect.fn(function* (customer: string, what: keyof Seen) {
    const known = seen.get(customer)?.[what]
    if (known !== undefined) return known
    const waiter = yield* Deferred.make<number>()
    waiting.set(`${customer} ${what}`, waiter)
    return yield* Deferred.await(waiter).pipe(
      Effect.timeoutOrElse({
        duration: "5 minutes",
        orElse: () => Effect.die(new Error(`${customer} was not ${what} within 5 minutes`)),
      }),
    )
  })
  return { until }
})
