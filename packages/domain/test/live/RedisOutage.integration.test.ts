/** What the Redis layers do while Redis is away and when it comes back, with a server of their own that is killed. */
import { createServer, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { AgentEvents } from "../../src/AgentEvents.ts"
import { Allowance } from "../../src/Allowance.ts"
import { CustomerBus } from "../../src/CustomerBus.ts"
import type { StoreUnavailable } from "../../src/Errors.ts"
import { CustomerId } from "../../src/Ids.ts"
import { JobQueue } from "../../src/JobQueue.ts"
import * as AgentEventsRedis from "../../src/live/AgentEventsRedis.ts"
import * as AllowanceRedis from "../../src/live/AllowanceRedis.ts"
import * as CustomerBusRedis from "../../src/live/CustomerBusRedis.ts"
import * as JobQueueRedis from "../../src/live/JobQueueRedis.ts"
import { RedisClient } from "../../src/live/RedisClient.ts"
import * as UsageEventsRedis from "../../src/live/UsageEventsRedis.ts"
import {
  ask,
  customer,
  events,
  hold,
  holdOf,
  settlement,
  snapshot,
  start,
} from "../../src/testing/contracts/AllowanceFixtures.ts"
import { startRedis } from "../../src/testing/RedisServer.ts"
import { testTime } from "./FreshRedisClient.ts"

const ports = Layer.mergeAll(
  AllowanceRedis.layer,
  UsageEventsRedis.layer,
  JobQueueRedis.layer,
  AgentEventsRedis.layer,
  CustomerBusRedis.layer,
)
const on = (url: string) => Layer.fresh(ports.pipe(Layer.provideMerge(RedisClient.layerOf(Redacted.make(url)))))

/** Every operation that a request, a job or a page waits for. */
const operations = Effect.gen(function* () {
  const [allowance, jobs, agents, bus] = [yield* Allowance, yield* JobQueue, yield* AgentEvents, yield* CustomerBus]
  return {
    admit: allowance.admit(ask("a")),
    settle: allowance.settle(settlement(holdOf("a"), 1)),
    customerOf: allowance.customerOf("hash-1"),
    push: jobs.push("1"),
    take: jobs.take,
    report: agents.append({ _tag: "active", customerId: customer, generation: 1, seq: 1, at: 0 }),
    read: agents.take(1),
    publish: bus.publish(customer),
    subscribe: Stream.runHead(bus.subscribe(customer)),
  }
})

/** Each fails as unavailable, and soon. */
const allFailSoon = Effect.gen(function* () {
  yield* Effect.forEach(
    Object.entries(yield* operations),
    Effect.fnUntraced(function* ([name, operation]) {
      const [took, error] = yield* Effect.timed(Effect.flip(operation as Effect.Effect<unknown, StoreUnavailable>))
      assert.strictEqual(error._tag, "StoreUnavailable", name)
      // A take has blocked for a second before it can miss its answer.
      assert.isBelow(Duration.toMillis(took), name === "take" ? 3_000 : 2_000, name)
    }),
    { concurrency: "unbounded" },
  )
})

const ready = RedisClient.use((redis) =>
  redis.readySince.pipe(
    Effect.filterOrFail((since) => since !== undefined),
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeout("3 seconds"),
  ),
)

describe("Redis away", () => {
  it.live("fails everything at once that cannot be decided, and works by itself when Redis comes", () =>
    Effect.gen(function* () {
      const server = yield* startRedis()
      yield* server.kill
      yield* Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allFailSoon
        yield* server.start
        yield* ready
        assert.strictEqual((yield* allowance.admit(ask("a")))._tag, "Absent")
        yield* server.kill
        yield* allFailSoon
        yield* server.start
        yield* ready
        yield* Effect.forEach(
          Object.values(yield* operations),
          (one) => one as Effect.Effect<unknown, StoreUnavailable>,
        )
      }).pipe(Effect.provide(on(server.url)))
    }),
  )

  it.live("fails as soon when something accepts connections and never answers", () =>
    Effect.gen(function* () {
      const sockets = new Set<Socket>()
      const silent = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((socket) => void sockets.add(socket.on("error", () => {})))
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) =>
          Effect.sync(() => {
            server.close()
            for (const socket of sockets) socket.destroy()
          }),
      )
      const address = silent.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      yield* allFailSoon.pipe(Effect.provide(on(`redis://127.0.0.1:${port}`)))
    }),
  )

  it.effect("gives the owners of holds 30 s when Redis returns, and forgets no hold that they renew", () =>
    Effect.gen(function* () {
      const server = yield* startRedis()
      yield* TestClock.setTime(start)
      yield* Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allowance.rebuild(snapshot())
        const open = yield* hold("a")
        yield* TestClock.adjust("100 seconds")
        yield* server.kill
        yield* server.start
        yield* TestClock.withLive(ready)
        assert.strictEqual((yield* allowance.admit(ask("b")))._tag, "Absent")
        yield* allowance.renew([open])
        yield* allowance.rebuild(snapshot())
        const admission = yield* allowance.admit(ask("b", { completion: 1_000 }))
        assert.strictEqual(admission._tag === "Admitted" && admission.hold.ask, 900)
        yield* TestClock.adjust("29 seconds")
        assert.strictEqual(yield* allowance.sweep, 0)
        assert.strictEqual(yield* allowance.settle(settlement(open, 5)), "settled")
        assert.deepStrictEqual(
          (yield* events).map((one) => one._tag),
          ["usage"],
        )
      }).pipe(Effect.provide(on(server.url).pipe(Layer.provide(testTime))))
    }),
  )

  it.effect("does not sweep in the first 30 s after Redis returned, though holds have run out", () =>
    Effect.gen(function* () {
      const server = yield* startRedis({ appendonly: true })
      yield* TestClock.setTime(start)
      yield* Effect.gen(function* () {
        const allowance = yield* Allowance
        yield* allowance.rebuild(snapshot())
        yield* hold("a")
        yield* TestClock.adjust("100 seconds")
        yield* server.kill
        yield* server.start
        yield* TestClock.withLive(ready)
        assert.strictEqual(yield* allowance.sweep, 0)
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(yield* allowance.sweep, 1)
      }).pipe(Effect.provide(on(server.url).pipe(Layer.provide(testTime))))
    }),
  )

  it.live("tells readers of the bus to look again after a gap", () =>
    Effect.gen(function* () {
      const server = yield* startRedis()
      yield* Effect.gen(function* () {
        const bus = yield* CustomerBus
        const looks = yield* Queue.unbounded<void>()
        const ada = CustomerId.make("bus-gap")
        yield* Effect.forkScoped(Stream.runForEach(bus.subscribe(ada), () => Queue.offer(looks, undefined)))
        yield* Queue.take(looks)
        yield* server.kill
        yield* server.start
        yield* Queue.take(looks).pipe(Effect.timeout("3 seconds"))
        yield* ready
        yield* bus.publish(ada)
        yield* Queue.take(looks).pipe(Effect.timeout("3 seconds"))
      }).pipe(Effect.scoped, Effect.provide(on(server.url)))
    }),
  )

  it.live("keeps a job that was taken and not acknowledged through a kill -9 of a Redis with a disk", () =>
    Effect.gen(function* () {
      const server = yield* startRedis({ appendonly: true })
      yield* Effect.gen(function* () {
        const jobs = yield* JobQueue
        yield* jobs.push("1")
        yield* jobs.push("2")
        yield* jobs.take
        yield* jobs.take
        yield* server.kill
        yield* server.start
        yield* ready
        assert.strictEqual(yield* jobs.returnTaken, 2)
        const again = yield* jobs.take.pipe(Effect.retry(Schedule.spaced("50 millis")))
        assert.strictEqual(Option.getOrUndefined(again), "1")
      }).pipe(Effect.provide(on(server.url)))
    }),
  )
})
