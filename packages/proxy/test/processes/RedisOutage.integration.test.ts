/**
 * What customers see while Redis is away, silent, slow or loses its answers: never a free call, nothing held or settled
 * twice, and all is well by itself when Redis is.
 */
import type { Link } from "@berth/domain/testing/Toxiproxy"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as World from "../World.ts"
import { Gate, modest } from "./Gate.ts"
import { answersOf, body, counted, many, medianOf, until } from "./GatedFleet.ts"
import * as LightClient from "./LightClient.ts"
import * as ToxicFleet from "./ToxicFleet.ts"
import { watch } from "./Watch.ts"

ToxicFleet.prepare()

const unlimited = { prompt: 20, completion: modest, limit: Number.POSITIVE_INFINITY }
const charge = 25

const start = Effect.fnUntraced(function* (name: string, proxies = 1) {
  const gate = new Gate(unlimited)
  const alice = World.customer(name)
  const fleet = yield* ToxicFleet.make({ customers: [alice], behaviour: gate.behaviour, proxies })
  const send = (count: number, completion = many) =>
    Array.from({ length: count }, (_, index) =>
      LightClient.send(fleet.proxies[index % proxies]?.url ?? "", alice.token, body(completion)),
    )
  /** Nothing is held, and what is used is what the upstream has reported, each call once. */
  const settledTruly = Effect.gen(function* () {
    assert.strictEqual((yield* fleet.settled(alice, 40)).used, gate.used)
    const { calls, charge } = yield* counted(fleet)
    assert.deepStrictEqual([calls, charge], [gate.calls, gate.used])
  })
  return { fleet, gate, alice, send, settledTruly }
})

/** Asks again and again until it is served; how many ms that took. */
const servedAfter = (ask: () => Promise<LightClient.Answer>) =>
  Effect.promise(async () => {
    const begun = performance.now()
    while (performance.now() - begun < 15_000) {
      if ((await ask()).status === 200) return performance.now() - begun
      await new Promise((done) => setTimeout(done, 20))
    }
    return Number.POSITIVE_INFINITY
  })

/** The ways in which it can be away. Each gives the effect that brings it back. */
const ways: Readonly<Record<string, (redis: Link) => Effect.Effect<Effect.Effect<void>>>> = {
  "refuses connections": (redis) => Effect.as(redis.down, redis.up),
  "is silent": (redis) => redis.add({ stream: "upstream", type: "timeout", attributes: { timeout: 0 } }),
  "takes all and answers nothing": (redis) =>
    redis.add({ stream: "downstream", type: "timeout", attributes: { timeout: 0 } }),
  "resets connections": (redis) => redis.add({ stream: "downstream", type: "reset_peer", attributes: { timeout: 0 } }),
}

describe("while Redis", () => {
  for (const [way, hurt] of Object.entries(ways)) {
    it.live(
      `${way}, all are refused within about two seconds, none is called for; all are served within a second of its return (median of 3)`,
      () =>
        Effect.gen(function* () {
          const { fleet, gate, send, settledTruly } = yield* start(`redis-${way.replaceAll(" ", "-")}`)
          gate.release()
          assert.strictEqual((yield* answersOf(send(1)))[0]?.status, 200)
          const [links] = fleet.links
          assert.isDefined(links)
          const returns: Array<number> = []
          for (let outage = 0; outage < 3; outage++) {
            const called = fleet.stub.received.length
            const comeBack = yield* hurt(links.redis)
            for (const { status, code, headers, millis } of yield* answersOf(send(10))) {
              assert.deepStrictEqual([status, code, headers["retry-after"]], [503, "store_unavailable", "2"])
              // Two seconds, and as much again for a machine that has other things to do.
              assert.isBelow(millis, 4_000)
            }
            assert.strictEqual(fleet.stub.received.length, called)
            assert.isFalse(yield* fleet.proxies[0]?.isReady ?? Effect.succeed(true))
            yield* comeBack
            returns.push(yield* servedAfter(() => send(1)[0]?.ended as Promise<LightClient.Answer>))
            for (const { status } of yield* answersOf(send(10))) assert.strictEqual(status, 200)
          }
          // A machine that is busy with other things for a moment delays one of them, though never by much.
          assert.isBelow(Math.max(...returns), 3_000, `${returns}`)
          assert.isBelow(medianOf(returns), 1_000, `${returns}`)
          yield* settledTruly
        }),
      180_000,
    )
  }

  it.live(
    "is away, open streams go on, and what ends then is counted once when it is back",
    () =>
      Effect.gen(function* () {
        const { fleet, gate, send, settledTruly } = yield* start("redis-streams", 2)
        const sent = send(24)
        yield* until("all are open", 20, () => gate.open === 24)
        for (const [, hurt] of Object.entries(ways)) {
          const back = yield* Effect.forEach(fleet.links, ({ redis }) => hurt(redis))
          gate.releaseSome(5)
          yield* Effect.sleep(1_500)
          yield* Effect.all(back, { discard: true })
          yield* Effect.sleep(500)
        }
        assert.strictEqual(gate.open, 4)
        gate.release()
        for (const { whole, status } of yield* answersOf(sent)) assert.deepStrictEqual([status, whole], [200, true])
        assert.strictEqual(gate.used, 24 * charge)
        yield* settledTruly
      }),
    180_000,
  )

  it.live(
    "loses its answers after it has done what it was told, nothing is held twice, left behind or counted twice",
    () =>
      Effect.gen(function* () {
        const { fleet, gate, alice, send, settledTruly } = yield* start("redis-answers", 2)
        gate.release(20)
        yield* answersOf(send(2))
        const watched = yield* watch(fleet, alice)
        let refused = 0
        // At first for longer than anybody waits for Redis; then so that what is tried again in time gets through.
        const rounds = [
          { bytes: 0, millis: 2_500 },
          { bytes: 1, millis: 1_000 },
          { bytes: 40, millis: 1_000 },
          { bytes: 200, millis: 1_000 },
          { bytes: 1_000, millis: 1_000 },
          { bytes: 5_000, millis: 1_000 },
        ]
        for (const { bytes, millis } of rounds) {
          const back = yield* Effect.forEach(fleet.links, ({ redis }) =>
            redis.add({ stream: "downstream", type: "limit_data", attributes: { bytes } }),
          )
          const sent = send(20)
          yield* Effect.sleep(millis)
          yield* Effect.all(back, { discard: true })
          for (const { status, code } of yield* answersOf(sent)) {
            assert.include(["200 undefined", "503 store_unavailable"], `${status} ${code}`)
            if (status === 503) refused++
          }
        }
        assert.isAbove(refused, 0)
        yield* settledTruly
        assert.strictEqual(watched.unequal, 0)
        assert.isEmpty((yield* fleet.events).filter((one) => one._tag !== "usage"))
      }),
    180_000,
  )

  it.live(
    "is 300 ms away, all is as ever, only slower; a request that has to wait for another is served too",
    () =>
      Effect.gen(function* () {
        const { fleet, gate, send, settledTruly } = yield* start("redis-slow", 2)
        yield* Effect.forEach(fleet.links, ({ redis }) =>
          redis.add({ stream: "downstream", type: "latency", attributes: { latency: 300, jitter: 50 } }),
        )
        // Four of the largest answers hold all of the allowance, so that the next one waits.
        const holders = send(4, 999_000)
        yield* until("the holders are open", 20, () => gate.open === 4)
        const waiter = send(1)
        yield* Effect.sleep(1_000)
        assert.strictEqual(gate.open, 4)
        gate.release()
        for (const { status } of yield* answersOf([...holders, ...waiter])) assert.strictEqual(status, 200)
        for (const { status } of yield* answersOf(send(40))) assert.strictEqual(status, 200)
        yield* settledTruly
      }),
    180_000,
  )

  it.live(
    "is hurt in every way in turn under load, the sums are right when it is well again",
    () =>
      Effect.gen(function* () {
        const { fleet, gate, alice, send, settledTruly } = yield* start("redis-storm", 2)
        gate.release(60)
        const watched = yield* watch(fleet, alice)
        const sent: Array<LightClient.Sent> = []
        let over = false
        const load = Effect.gen(function* () {
          while (!over) {
            sent.push(...send(4))
            yield* Effect.sleep(60)
          }
        })
        const storm = Effect.gen(function* () {
          for (let round = 0; round < 12; round++) {
            const [links] = [fleet.links[round % 2]]
            assert.isDefined(links)
            const { redis } = links
            const back =
              round % 4 === 0
                ? yield* redis.add({ stream: "downstream", type: "limit_data", attributes: { bytes: 37 * round } })
                : round % 4 === 1
                  ? yield* redis.add({ stream: "upstream", type: "reset_peer", attributes: { timeout: 30 } })
                  : round % 4 === 2
                    ? yield* redis.add({ stream: "downstream", type: "latency", attributes: { latency: 1_700 } })
                    : yield* redis.add({
                        stream: "upstream",
                        type: "slicer",
                        attributes: { average_size: 64, size_variation: 32, delay: 2_000 },
                      })
            yield* Effect.sleep(1_000)
            yield* back
            yield* Effect.sleep(150)
          }
          over = true
        })
        yield* Effect.all([load, storm], { concurrency: 2, discard: true })
        for (const { status, code } of yield* answersOf(sent))
          assert.include(["200 undefined", "503 store_unavailable"], `${status} ${code}`)
        yield* settledTruly
        assert.deepInclude(watched, { beyond: 0, unequal: 0 })
      }),
    180_000,
  )
})
