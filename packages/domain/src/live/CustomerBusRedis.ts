/**
 * The channels `customer:<id>` over one subscribing connection. Readers of a customer share its subscription; when the
 * connection comes back all of them are told to look, for what was published meanwhile is gone.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { CustomerBus, lag } from "../CustomerBus.ts"
import type { CustomerId } from "../Ids.ts"
import { RedisClient } from "./RedisClient.ts"

interface Reader {
  readonly looks: Queue.Queue<void>
  /** Its first look comes when Redis has confirmed, and covers all before. */
  subscribed: boolean
}

const channelOf = (customerId: CustomerId): string => `customer:${customerId}`

export const layer: Layer.Layer<CustomerBus, never, RedisClient> = Layer.effect(
  CustomerBus,
  Effect.gen(function* () {
    const redis = yield* RedisClient
    const subscriber = yield* redis.connect(0)
    const channels = new Map<string, Set<Reader>>()
    const look = (readers: Iterable<Reader>) => {
      for (const { looks, subscribed } of readers) if (subscribed) Queue.offerUnsafe(looks, undefined)
    }
    subscriber.redis.on("message", (channel: string) => look(channels.get(channel) ?? []))
    const resubscribe = () => {
      const again = [...channels]
      if (again.length === 0) return
      // Readers look only once the subscription stands again, so that nothing falls between.
      subscriber.redis.subscribe(...again.map(([channel]) => channel)).then(
        () => again.forEach(([, readers]) => look(readers)),
        () => {}, // The connection broke again: the next "ready" starts over.
      )
    }
    // At the first connection each reader's own subscription does it.
    subscriber.redis.once("ready", () => subscriber.redis.on("ready", resubscribe))
    // A silent connection is found dead only by asking.
    yield* subscriber
      .call("CustomerBus.ping", (one) => one.ping())
      .pipe(Effect.ignore, Effect.repeat(Schedule.spaced("15 seconds")), Effect.forkScoped)

    const subscribe = Effect.fn("CustomerBus.subscribe")(function* (customerId: CustomerId) {
      const channel = channelOf(customerId)
      const reader: Reader = { looks: yield* Queue.sliding<void>(lag), subscribed: false }
      const readers = channels.get(channel) ?? new Set()
      channels.set(channel, readers)
      readers.add(reader)
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          readers.delete(reader)
          if (readers.size > 0) return
          channels.delete(channel)
          // Nobody waits for this: without a connection there is no subscription to end.
          subscriber.redis.unsubscribe(channel).catch(() => {})
        }),
      )
      yield* subscriber.call("CustomerBus.subscribe", (one) => one.subscribe(channel))
      reader.subscribed = true
      look([reader])
      return Stream.fromQueue(reader.looks)
    })

    return CustomerBus.of({
      publish: Effect.fn("CustomerBus.publish")((customerId: CustomerId) =>
        Effect.asVoid(redis.call("CustomerBus.publish", (one) => one.publish(channelOf(customerId), ""))),
      ),
      subscribe: (customerId) => Stream.unwrap(subscribe(customerId)),
    })
  }),
)
