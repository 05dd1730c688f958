/**
 * Holds live by being renewed: what is lost with a proxy, with Redis, or by a clock's jump is given up or put back in time.
 * These tests mostly wait, so they wait together.
 */
import { startRedis } from "@berth/domain/testing/RedisServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as World from "../World.ts"
import * as Fleet from "./Fleet.ts"
import { Gate, modest } from "./Gate.ts"
import { answersOf, body, counted, many, until } from "./GatedFleet.ts"
import * as LightClient from "./LightClient.ts"

const unlimited = { prompt: 20, completion: modest, limit: Number.POSITIVE_INFINITY }

describe.concurrent("no hold stays behind, and none is given up that lives", () => {
  it.live(
    "when a proxy is killed: its holds are given up in time and charged to nobody, those of the other live on",
    () =>
      Effect.gen(function* () {
        const gate = new Gate(unlimited)
        const alice = World.customer("leaks-kill")
        const fleet = yield* Fleet.make({ customers: [alice], behaviour: gate.behaviour })
        const [doomed, living] = fleet.proxies
        assert.isDefined(doomed)
        assert.isDefined(living)
        const lost = Array.from({ length: 8 }, () => LightClient.send(doomed.url, alice.token, body(many)))
        const kept = Array.from({ length: 3 }, () => LightClient.send(living.url, alice.token, body(many)))
        yield* until("all are open", 20, () => gate.open === 11)
        const held = (yield* Effect.promise(() => fleet.held(alice))).sum
        yield* doomed.kill
        yield* answersOf(lost)
        // Holds live 90 s, the sweeper looks each 5 s: no clock is bent here, the test waits.
        let now = yield* Effect.promise(() => fleet.held(alice))
        const deadline = performance.now() + 120_000
        while (now.open > 3 && performance.now() < deadline) {
          yield* Effect.sleep(500)
          now = yield* Effect.promise(() => fleet.held(alice))
        }
        assert.deepInclude(now, { used: 0, open: 3, held: (held / 11) * 3 })
        const events = (yield* fleet.events).filter((one) => one.customerId === alice.customerId)
        assert.lengthOf(events, 8)
        for (const event of events) assert.deepInclude(event, { _tag: "lost", ask: held / 11 })
        // More than 90 s old by now, renewed all the while.
        assert.strictEqual(gate.open, 3)
        gate.release()
        for (const { whole } of yield* answersOf(kept)) assert.isTrue(whole)
        assert.strictEqual((yield* fleet.settled(alice)).used, 3 * 25)
        yield* doomed.start
        const again = yield* Effect.promise(() => LightClient.ask(doomed.url, alice.token, body(many)))
        assert.strictEqual(again.status, 200)
        assert.strictEqual((yield* fleet.settled(alice)).used, 4 * 25)
      }),
    200_000,
  )

  it.live(
    "when Redis comes back empty amid streams: all that is open is held again or settled",
    () =>
      Effect.gen(function* () {
        const server = yield* startRedis()
        const gate = new Gate(unlimited)
        const alice = World.customer("leaks-empty")
        const fleet = yield* Fleet.make({ customers: [alice], behaviour: gate.behaviour, redisUrl: server.url })
        const send = (count: number) =>
          Array.from({ length: count }, (_, index) =>
            LightClient.send(fleet.proxies[index % 2]?.url ?? "", alice.token, body(many)),
          )
        const sent = send(12)
        yield* until("all are open", 20, () => gate.open === 12)
        yield* server.kill
        gate.releaseSome(4)
        yield* Effect.sleep(200)
        yield* server.start
        // The next request puts the allowance back from Postgres; open holds come back with their renewals.
        const next = send(2)
        yield* until("new ones are open", 20, () => gate.open === 10)
        let now = yield* Effect.promise(() => fleet.held(alice))
        const deadline = performance.now() + 40_000
        while (now.open < 10 && performance.now() < deadline) {
          yield* Effect.sleep(200)
          now = yield* Effect.promise(() => fleet.held(alice))
        }
        assert.deepInclude(now, { open: 10, held: now.sum })
        gate.release()
        for (const { whole } of yield* answersOf([...sent, ...next])) assert.isTrue(whole)
        assert.strictEqual((yield* fleet.settled(alice)).used, 14 * 25)
        assert.strictEqual((yield* counted(fleet)).calls, 14)
      }),
    180_000,
  )

  it.live(
    "when clocks jump by a minute: those of the proxies, ahead and back, and that of Redis",
    () =>
      Effect.gen(function* () {
        const gate = new Gate(unlimited)
        const alice = World.customer("leaks-clocks")
        const fleet = yield* Fleet.make({
          customers: [alice],
          behaviour: gate.behaviour,
          preload: () => [`${import.meta.dirname}/ClockJump.ts`],
          env: { CLOCK_JUMPS: "60000,-120000,60000" },
        })
        const [ahead, back] = fleet.proxies
        assert.isDefined(ahead)
        assert.isDefined(back)
        const jump = (pid: number | undefined) => Effect.sync(() => process.kill(pid ?? 0, "SIGUSR2"))
        const send = (count: number) =>
          Array.from({ length: count }, (_, index) =>
            LightClient.send(fleet.proxies[index % 2]?.url ?? "", alice.token, body(many)),
          )
        const sent = send(6)
        yield* until("all are open", 20, () => gate.open === 6)
        // One is a minute ahead, the other a minute back.
        yield* jump(ahead.pid())
        yield* jump(back.pid())
        yield* jump(back.pid())
        sent.push(...send(4))
        yield* until("more are open", 20, () => gate.open === 10)
        // Redis' own clock a minute ahead is the same as holds that live a minute less.
        const members = yield* Effect.promise(() => fleet.redis.zrange("holds", "0", "-1"))
        assert.lengthOf(members, 10)
        for (const member of members) yield* Effect.promise(() => fleet.redis.zincrby("holds", -60_000, member))
        yield* Effect.sleep(35_000)
        assert.deepInclude(yield* Effect.promise(() => fleet.held(alice)), { used: 0, open: 10 })
        yield* jump(ahead.pid())
        sent.push(...send(2))
        yield* until("the last are open", 20, () => gate.open === 12)
        gate.release()
        for (const { whole } of yield* answersOf(sent)) assert.isTrue(whole)
        assert.strictEqual((yield* fleet.settled(alice)).used, 12 * 25)
        assert.deepStrictEqual(
          (yield* fleet.events).map((one) => one._tag),
          Array.from({ length: 12 }, () => "usage"),
        )
      }),
    180_000,
  )
})
