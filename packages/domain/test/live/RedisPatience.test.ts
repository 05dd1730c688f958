/** How long a call waits for a Redis that loads or says nothing, and how soon one that is well again is used. */
import { createServer, type Socket } from "node:net"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { RedisClient } from "../../src/live/RedisClient.ts"

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`

/** Speaks as much of Redis' protocol as a client says when it connects; guesses an hour while it loads. */
const server = Effect.acquireRelease(
  Effect.callback<{ port: number; isLoading: boolean; isSilent: boolean; close: () => void }>((resume) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket.on("error", () => {}))
      socket.on("data", (data) => {
        // One answer a command: each begins with the number of its words.
        for (const command of data
          .toString()
          .split(/^\*\d+\r\n/m)
          .slice(1)) {
          const info = /\r\ninfo\r\n/i.test(command)
          if (state.isSilent) return
          socket.write(
            info ? bulk(state.isLoading ? "loading:1\r\nloading_eta_seconds:3600" : "loading:0") : bulk("customer"),
          )
        }
      })
    })
    const close = () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
    const state = { port: 0, isLoading: false, isSilent: false, close }
    server.listen(0, "127.0.0.1", () => {
      state.port = (server.address() as AddressInfo).port
      resume(Effect.succeed(state))
    })
  }),
  ({ close }) => Effect.sync(close),
)

const on = (port: number) => Effect.provide(RedisClient.layerOf(Redacted.make(`redis://127.0.0.1:${port}`)))
const get = RedisClient.use((redis) => redis.call("get", (one) => one.get("token:1")))

describe("a Redis", () => {
  it.live("that loads its file is used within a second after it has, whatever it guessed", () =>
    Effect.gen(function* () {
      const redis = yield* server
      redis.isLoading = true
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(get))._tag, "StoreUnavailable")
        redis.isLoading = false
        const begun = performance.now()
        assert.strictEqual(yield* get.pipe(Effect.retry(Schedule.spaced("20 millis"))), "customer")
        // A second is promised; the rest is for a busy machine.
        assert.isBelow(performance.now() - begun, 3_000)
      }).pipe(on(redis.port))
    }),
  )

  it.live("that falls silent makes nobody wait for two seconds, not even behind what it was told before", () =>
    Effect.gen(function* () {
      const redis = yield* server
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* get, "customer")
        redis.isSilent = true
        yield* Effect.forkChild(Effect.exit(get))
        yield* Effect.sleep(50)
        // Timers of one process are late together, so a busy machine changes nothing here.
        const failed = Effect.map(Effect.flip(get), (error) => error._tag)
        const late = Effect.as(Effect.sleep("2500 millis"), "late")
        assert.strictEqual(yield* Effect.raceFirst(failed, late), "StoreUnavailable")
      }).pipe(on(redis.port))
    }),
  )
})
