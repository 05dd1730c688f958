/** Whatever becomes of a stream, of its proxy or of a clock: no hold stays behind, and each call is counted once. */
import { startRedis } from "@berth/domain/testing/RedisServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stub from "../StubUpstream.ts"
import * as World from "../World.ts"
import * as Fleet from "./Fleet.ts"
import { Gate, modest } from "./Gate.ts"
import { answersOf, begin, body, counted, many, until } from "./GatedFleet.ts"
import * as LightClient from "./LightClient.ts"
import { watch } from "./Watch.ts"

const unlimited = { prompt: 20, completion: modest, limit: Number.POSITIVE_INFINITY }

describe("no hold stays behind", () => {
  it.live(
    "when clients leave: while they wait, before the first byte, in the middle, at the end",
    () =>
      Effect.gen(function* () {
        const { fleet, gate, customerFor, sendAll } = yield* begin("leaks-clients", 80, {
          PROXY_HANGUP_DRAIN: "1 second",
        })
        const alice = yield* customerFor(40)
        const watched = yield* watch(fleet, alice)
        const before = yield* counted(fleet)
        const open = yield* sendAll(alice.token, 40)
        yield* until("all that fit are open", 20, () => gate.open === 40)
        const waiting = yield* sendAll(alice.token, 20)
        yield* Effect.sleep(100)
        for (const one of waiting.slice(0, 15)) one.abort()
        for (const [index, one] of open.entries()) {
          if (index % 4 === 0) one.abort()
          if (index % 4 === 1) void one.started.then(() => one.abort())
        }
        yield* Effect.sleep(300)
        gate.release(100)
        yield* answersOf([...open, ...waiting])
        // Some come while others are going.
        const more = yield* sendAll(alice.token, 30)
        for (const [index, one] of more.entries()) if (index % 2 === 0) setTimeout(one.abort, 5 * index)
        yield* answersOf(more)
        const end = yield* fleet.settled(alice)
        const after = yield* counted(fleet)
        assert.strictEqual(end.used, after.charge - before.charge)
        assert.strictEqual(after.calls - before.calls, fleet.stub.received.length - 1)
        assert.deepInclude(watched, { beyond: 0, unequal: 0 })
      }),
    180_000,
  )

  it.live(
    "when the upstream refuses, breaks off, answers nonsense or nothing",
    () =>
      Effect.gen(function* () {
        const good = Stub.either({ prompt: 30, completion: 7 })
        const behaviours: ReadonlyArray<Stub.Behaviour> = [
          good,
          Stub.failing(500, "server_error", "oops"),
          Stub.resetting(3),
          Stub.failing(429, "engine_overloaded_error", "busy", { "retry-after": "1" }),
          Stub.html504,
          (_received, response) => response.socket?.destroy(),
          Stub.failing(400, "invalid_request_error", "no"),
          (_received, response) =>
            response.writeHead(200, { "content-type": "text/event-stream" }).end("data: {nonsense\n\n"),
        ]
        const alice = World.customer("leaks-upstream")
        const fleet = yield* Fleet.make({
          customers: [alice],
          behaviour: (received, response) => behaviours[received.index % behaviours.length]?.(received, response),
        })
        const sent = Array.from({ length: 48 }, (_, index) =>
          LightClient.send(fleet.proxies[index % 2]?.url ?? "", alice.token, body(many)),
        )
        yield* answersOf(sent)
        const end = yield* fleet.settled(alice)
        const { charge, usage } = yield* counted(fleet)
        assert.strictEqual(end.used, charge)
        // What was answered in full is counted at its own word; what broke off by estimate; what was refused not at all.
        const reported = usage.filter((one) => !one.estimated)
        assert.isAbove(reported.length, 0)
        for (const one of reported) assert.strictEqual(one.charge, 37)
        assert.isAtMost(usage.length, 48)
      }),
    180_000,
  )

  it.live(
    "when Redis restarts amid streams, some of which end while it is away",
    () =>
      Effect.gen(function* () {
        const server = yield* startRedis({ appendonly: true })
        const gate = new Gate(unlimited)
        const alice = World.customer("leaks-restart")
        const fleet = yield* Fleet.make({
          customers: [alice],
          behaviour: gate.behaviour,
          redisUrl: server.url,
        })
        const send = (count: number) =>
          Array.from({ length: count }, (_, index) =>
            LightClient.send(fleet.proxies[index % 2]?.url ?? "", alice.token, body(many)),
          )
        const sent = send(20)
        yield* until("all are open", 20, () => gate.open === 20)
        yield* server.kill
        gate.releaseSome(10)
        const refused = yield* answersOf(send(4))
        for (const { status, headers } of refused) assert.deepStrictEqual([status, headers["retry-after"]], [503, "2"])
        yield* server.start
        gate.releaseSome(5)
        yield* Effect.sleep(1_000)
        gate.release()
        for (const { whole } of yield* answersOf(sent)) assert.isTrue(whole)
        assert.strictEqual((yield* fleet.settled(alice)).used, 20 * 25)
        assert.strictEqual((yield* counted(fleet)).calls, 20)
      }),
    180_000,
  )
})
