/** That abuse leaves no memory behind: measured after the collector was told to run. */
import { connect } from "node:net"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as World from "../World.ts"
import { body, good, head, portOf, say } from "./Raw.ts"

const collect = (): void => {
  setFlagsFromString("--expose-gc")
  ;(runInNewContext("gc") as () => void)()
}
/** Bytes in use, of every kind that a request could leave behind. */
const inUse = Effect.gen(function* () {
  for (let round = 0; round < 5; round++) {
    collect()
    yield* Effect.sleep(50)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
})

it.live(
  "memory is back to where it was after floods of every kind, and the next request is served",
  () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice], server: { headerMillis: 900, requestMillis: 3_000 } })
      const large = "a".repeat(3_900_000)
      const flood = (times: number) =>
        Effect.gen(function* () {
          const each = <A>(count: number, concurrency: number, one: (index: number) => Effect.Effect<A>) =>
            Effect.forEach(
              Array.from({ length: count }, (_, index) => index),
              one,
              { concurrency, discard: true },
            )
          // Whole bodies that are refused, by token and by form.
          yield* each(5 * times, 5, () =>
            say(world, [`${head(alice.token, "content-length: 3900000")}\r\n`, large], { enough: 1 }),
          )
          yield* each(5 * times, 5, () =>
            say(world, [`${head("bth_x", "content-length: 3900000")}\r\n`, large], { enough: 1 }),
          )
          // Bodies and headers left half way.
          yield* each(100 * times, 50, () =>
            say(world, [`${head(alice.token, "content-length: 3900000")}\r\n`, large.slice(0, 50_000)], {
              quietMillis: 20,
            }),
          )
          yield* each(100 * times, 50, () => say(world, head(alice.token), { quietMillis: 20 }))
          // No HTTP, unknown tokens, requests sent on ahead.
          yield* each(100 * times, 50, () => say(world, "\u0016\u0003\u0001", { quietMillis: 100 }))
          yield* each(100 * times, 20, (index) =>
            say(world, good(World.customer(`nobody-${index}`).token), { enough: 1 }),
          )
          yield* each(20 * times, 20, () =>
            say(world, `GET /v1/x HTTP/1.1\r\nhost: a\r\n\r\n`.repeat(50), { quietMillis: 100 }),
          )
          // Connections that say nothing, until they are told that it took too long.
          yield* each(200 * times, 200, () =>
            Effect.callback<void>((resume) => {
              const socket = connect(portOf(world), "127.0.0.1")
              socket.resume()
              socket
                .on("close", () => resume(Effect.void))
                .on("end", () => socket.end())
                .on("error", () => {})
              return Effect.sync(() => socket.destroy())
            }),
          )
        })
      // Code, caches and metrics find their size first.
      yield* flood(1)
      const before = yield* inUse
      yield* flood(2)
      const after = yield* inUse
      // The bodies of one round alone are 200 MB.
      assert.isBelow((after - before) / 1e6, 6, `from ${before} to ${after}`)
      const heard = yield* say(world, good(alice.token, body), { enough: 1 })
      assert.strictEqual(heard.answers[0]?.status, 200)
      assert.strictEqual((yield* world.settled(alice)).used, 120)
      assert.strictEqual(world.stub.received.length, 1)
    }),
  120_000,
)
