/**
 * The channel `customer:<id>`: "look, there is something new". It carries nothing; the events themselves stand in
 * Postgres, so a lost message delays and never loses.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { StoreUnavailable } from "./Errors.ts"
import type { CustomerId } from "./Ids.ts"

/** How many "looks" wait for a slow reader. */
export const lag = 16

export class CustomerBus extends Context.Service<
  CustomerBus,
  {
    publish(customerId: CustomerId): Effect.Effect<void, StoreUnavailable>
    /**
     * One element at each (re)connect, when some may have been missed, and one for each `publish` from then on; a reader
     * more than `lag` behind misses the surplus, which says nothing new. Fails if it can't connect the first time.
     */
    subscribe(customerId: CustomerId): Stream.Stream<void, StoreUnavailable>
  }
>()("@berth/domain/CustomerBus") {
  static readonly layerMemory: Layer.Layer<CustomerBus> = Layer.effect(
    CustomerBus,
    Effect.gen(function* () {
      const channels = new Map<CustomerId, Set<Queue.Queue<void>>>()
      const subscribe = Effect.fn(function* (customerId: CustomerId) {
        const readers = channels.get(customerId) ?? new Set()
        channels.set(customerId, readers)
        const looks = yield* Queue.sliding<void>(lag)
        readers.add(looks)
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            readers.delete(looks)
            if (readers.size === 0) channels.delete(customerId)
          }),
        )
        Queue.offerUnsafe(looks, undefined)
        return Stream.fromQueue(looks)
      })
      return CustomerBus.of({
        publish: Effect.fn("CustomerBus.publish")(function* (customerId) {
          for (const looks of channels.get(customerId) ?? []) Queue.offerUnsafe(looks, undefined)
        }),
        subscribe: (customerId) => Stream.unwrap(subscribe(customerId)),
      })
    }),
  )
}
