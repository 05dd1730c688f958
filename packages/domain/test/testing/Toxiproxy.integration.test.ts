/** That a link hurts as it is told to, and heals: what the outage tests rest on. */
import { connect, createServer, type Socket } from "node:net"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { startToxiproxy, type Toxic } from "../../src/testing/Toxiproxy.ts"

/** Sends back what it gets. */
const echo = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket.on("error", () => {}))
      socket.pipe(socket)
    }).listen(0, "127.0.0.1", () => {
      const close = () => {
        server.close()
        for (const socket of sockets) socket.destroy()
      }
      resume(Effect.succeed({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }))
    })
  }),
  ({ close }) => Effect.sync(close),
)

/** What comes back of a text, in how many pieces, how the connection then stands, and after how many ms. */
const say = (port: number, text: string, patience = 300) =>
  Effect.promise(
    () =>
      new Promise<{ back: string; pieces: number; end: "open" | "closed" | "reset"; millis: number }>((done) => {
        const begun = performance.now()
        let back = ""
        let pieces = 0
        const socket = connect(port, "127.0.0.1", () => socket.write(text))
        const finish = (end: "open" | "closed" | "reset") => {
          socket.destroy()
          done({ back, pieces, end, millis: performance.now() - begun })
        }
        socket.on("data", (data) => {
          back += data.toString()
          pieces++
          if (back.length >= text.length) finish("open")
        })
        socket.on("error", () => finish("reset"))
        socket.on("end", () => finish("closed"))
        setTimeout(() => finish("open"), patience)
      }),
  )

describe("a link", () => {
  it.live(
    "passes data on, and hurts it as it is told to until it is healed",
    () =>
      Effect.gen(function* () {
        const { url } = yield* echo
        const toxiproxy = yield* startToxiproxy()
        const link = yield* toxiproxy.link(url)
        const { port } = link
        assert.strictEqual(link.through(`${url}/path`), `http://127.0.0.1:${port}/path`)
        const under = Effect.fnUntraced(function* (toxic: Toxic, text = "hello", patience?: number) {
          const remove = yield* link.add(toxic)
          const said = yield* say(port, text, patience)
          yield* remove
          return said
        })
        assert.deepInclude(yield* say(port, "hello", 5_000), { back: "hello", end: "open" })
        const slow = yield* under({ stream: "downstream", type: "latency", attributes: { latency: 250 } }, "hi", 5_000)
        assert.strictEqual(slow.back, "hi")
        assert.isAtLeast(slow.millis, 240)
        const silent = yield* under({ stream: "upstream", type: "timeout", attributes: { timeout: 0 } })
        assert.deepInclude(silent, { back: "", end: "open" })
        const reset = yield* under(
          { stream: "downstream", type: "reset_peer", attributes: { timeout: 0 } },
          "hello",
          5_000,
        )
        assert.deepInclude(reset, { back: "", end: "reset" })
        const cut = yield* under({ stream: "downstream", type: "limit_data", attributes: { bytes: 3 } }, "hello", 5_000)
        assert.deepInclude(cut, { back: "hel", end: "closed" })
        const sliced = yield* under(
          { stream: "downstream", type: "slicer", attributes: { average_size: 2, size_variation: 1, delay: 20_000 } },
          "hello, hello",
          5_000,
        )
        assert.strictEqual(sliced.back, "hello, hello")
        assert.isAbove(sliced.pieces, 1)
        const narrow = yield* under(
          { stream: "downstream", type: "bandwidth", attributes: { rate: 10 } },
          "x".repeat(5_000),
          20_000,
        )
        assert.strictEqual(narrow.back.length, 5_000)
        assert.isAtLeast(narrow.millis, 300)
        yield* link.add({ stream: "upstream", type: "timeout", attributes: { timeout: 0 } })
        yield* link.down
        assert.strictEqual((yield* say(port, "hello", 5_000)).end, "reset")
        yield* link.heal
        assert.deepInclude(yield* say(port, "hello", 5_000), { back: "hello", end: "open" })
      }),
    300_000,
  )
})
