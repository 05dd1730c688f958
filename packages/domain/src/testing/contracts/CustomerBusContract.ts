/** What every `CustomerBus` promises. Each test builds the layer anew; channels may be shared, so ids are unique. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { CustomerBus } from "../../CustomerBus.ts"
import { CustomerId } from "../../Ids.ts"

export const customerBusContract = (name: string, layer: Layer.Layer<CustomerBus, unknown>) =>
  describe(`CustomerBus on ${name}`, () => {
    const test = <E>(title: string, body: Effect.Effect<void, E, CustomerBus | Scope.Scope>): void =>
      it.effect(title, () => body.pipe(Effect.provide(Layer.fresh(layer))))

    const idOf = (what: string) => CustomerId.make(`bus-${what}-${name.toLowerCase()}`)

    /** A reader that stands: its first look is behind it. */
    const reader = Effect.fnUntraced(function* (customerId: CustomerId) {
      const bus = yield* CustomerBus
      const looks = yield* Queue.unbounded<void>()
      const fiber = yield* Effect.forkScoped(
        Stream.runForEach(bus.subscribe(customerId), () => Queue.offer(looks, undefined)),
      )
      yield* Queue.take(looks)
      return { next: Queue.take(looks), waiting: Queue.size(looks), stop: Fiber.interrupt(fiber) }
    })

    test(
      "tells every reader to look at once, and then for each publish",
      Effect.gen(function* () {
        const bus = yield* CustomerBus
        const ada = idOf("each")
        const [one, other] = [yield* reader(ada), yield* reader(ada)]
        yield* bus.publish(ada)
        yield* bus.publish(ada)
        for (const { next } of [one, other]) {
          yield* next
          yield* next
        }
      }),
    )

    test(
      "tells nobody of another customer",
      Effect.gen(function* () {
        const bus = yield* CustomerBus
        const [ada, bob] = [idOf("ada"), idOf("bob")]
        const [adas, bobs] = [yield* reader(ada), yield* reader(bob)]
        yield* bus.publish(ada)
        yield* adas.next
        yield* bus.publish(bob)
        yield* bobs.next
        assert.strictEqual(yield* bobs.waiting, 0)
        assert.strictEqual(yield* adas.waiting, 0)
      }),
    )

    test(
      "goes on for the other readers when one leaves, and for one that comes back",
      Effect.gen(function* () {
        const bus = yield* CustomerBus
        const ada = idOf("leave")
        const [one, other] = [yield* reader(ada), yield* reader(ada)]
        yield* one.stop
        yield* bus.publish(ada)
        yield* other.next
        yield* other.stop
        yield* bus.publish(ada)
        const back = yield* reader(ada)
        yield* bus.publish(ada)
        yield* back.next
        assert.strictEqual(yield* back.waiting, 0)
      }),
    )
  })
