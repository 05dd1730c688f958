/** Downloads whose reader or store stands still, on real sockets. */
import { once } from "node:events"
import { createServer } from "node:http"
import { connect } from "node:net"
import { ExportOpener } from "@berth/domain/ExportOpener"
import { ExportStore, keyOf } from "@berth/domain/Exports"
import { CustomerId } from "@berth/domain/Ids"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as ExportDownload from "../../src/exports/ExportDownload.ts"
import { ExportLinks } from "../../src/exports/ExportLinks.ts"
import { Exports } from "../../src/exports/Exports.ts"
import { linkKey } from "./World.ts"

const size = 64 * 2 ** 20
const block = new Uint8Array(2 ** 16)
const blocks = Stream.range(1, size / block.length).pipe(Stream.map(() => block))

/** Of "stuck" the store gives the beginning alone, of anybody else's all. */
const world = HttpRouter.serve(ExportDownload.routes, {
  disableLogger: true,
  disableListenLog: true,
}).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provide([
    Layer.mock(Exports)({
      find: (customerId, generation) =>
        Effect.succeed(
          Option.some({
            customerId,
            generation,
            key: keyOf(customerId, generation),
            size,
            sha256: "ab".repeat(32),
            exportedAt: 0,
            expiresAt: Number.MAX_SAFE_INTEGER,
          }),
        ),
    }),
    Layer.mock(ExportStore)({
      read: ({ key }) => (key.startsWith("stuck/") ? Stream.concat(Stream.take(blocks, 1), Stream.never) : blocks),
    }),
    Layer.mock(ExportOpener)({ open: (stored, bytes) => Effect.succeed({ size: bytes, bytes: Stream.orDie(stored) }) }),
  ]),
  Layer.provide(Layer.succeed(ExportDownload.Stall)("1 second")),
  Layer.provideMerge(ExportLinks.layer("http://berth.test", linkKey)),
)

const linkTo = Effect.fn(function* (name: string) {
  const link = { customerId: CustomerId.make(name), generation: 7, expiresAt: Number.MAX_SAFE_INTEGER }
  return (yield* ExportLinks).urlOf(link).slice("http://berth.test".length)
})

const origin = Effect.map(HttpServer.HttpServer, ({ address }) => HttpServer.formatAddress(address))

/** Asks for a download and, once it has begun, takes nothing of it. */
const stare = Effect.fn(function* (path: string) {
  const { port } = new URL(yield* origin)
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => connect(Number(port), "127.0.0.1").on("error", () => {})),
    (one) => Effect.sync(() => one.destroy()),
  )
  socket.write(`GET ${path} HTTP/1.1\r\nhost: berth.test\r\n\r\n`)
  yield* Effect.promise(() => once(socket, "data"))
  socket.pause()
})

const statusOf = Effect.fn(function* (path: string) {
  const at = yield* origin
  return yield* Effect.promise(async () => {
    const response = await fetch(at + path)
    await response.body?.cancel()
    return response.status
  })
})

/** Waits, in real time, until the place is free. */
const freed = Effect.fn(function* (path: string) {
  for (const began = performance.now(); (yield* statusOf(path)) !== 200; yield* Effect.sleep("50 millis"))
    assert.isBelow(performance.now() - began, 20_000, "a place is given back")
})

layer(world, { excludeTestServices: true, timeout: 60_000 })("a download that stands still", (it) => {
  for (const [who, name] of [
    ["its reader", "ada"],
    ["the store", "stuck"],
  ] as const)
    it.effect(`gives its place back, where ${who} keeps it waiting`, () =>
      Effect.gen(function* () {
        const path = yield* linkTo(name)
        yield* stare(path)
        yield* stare(path)
        assert.strictEqual(yield* statusOf(path), 429)
        yield* freed(path)
      }).pipe(Effect.scoped),
    )

  it.effect("is not one whose reader is slow", () =>
    Effect.gen(function* () {
      const path = yield* linkTo("bob")
      const at = yield* origin
      const taken = yield* Effect.promise(async () => {
        let bytes = 0
        const began = performance.now()
        for await (const chunk of (await fetch(at + path)).body ?? []) {
          bytes += chunk.length
          if (performance.now() - began < 3_000) await new Promise((go) => setTimeout(go, 50))
        }
        return bytes
      })
      assert.strictEqual(taken, size)
    }),
  )
})
