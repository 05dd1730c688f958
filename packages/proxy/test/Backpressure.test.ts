/** How much of an answer waits in the proxy for a client that is slow, measured at the proxy's own end of the connection. */
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { once } from "node:events"
import type { ServerResponse } from "node:http"
import { connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const megabyte = 1024 * 1024

/** Sends so many bytes as fast as they are taken, and knows how many were. */
const flooding = (
  bytes: number,
  form: { readonly head: string; readonly unit: string; readonly tail: string; readonly type: string },
) => {
  const state = { written: 0, blocked: false }
  const behaviour: Stub.Behaviour = (_received, response) => {
    response.writeHead(200, { "content-type": form.type })
    response.write(form.head)
    const piece = form.unit.repeat(Math.ceil(65_536 / form.unit.length))
    const more = (): void => {
      while (state.written < bytes) {
        state.written += piece.length
        if (!response.write(piece)) {
          state.blocked = true
          response.once("drain", () => {
            state.blocked = false
            more()
          })
          return
        }
      }
      response.end(form.tail)
    }
    more()
  }
  return { state, behaviour }
}
const stream = {
  type: "text/event-stream",
  head: Stub.role,
  unit: Stub.word(0),
  tail: Stub.finish({ prompt: 10, completion: 1 }),
}
const whole = Stub.answer({ prompt: 10, completion: 1 }, "TEXT").split("TEXT")
const inOnePiece = { type: "application/json", head: whole[0] ?? "", unit: "some words ", tail: whole[1] ?? "" }

/** The responses of every HTTP server in this process while `use` runs; the proxy's own is the one on `port`. */
const watching = <A, E, R>(port: number, use: (buffered: () => number) => Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const responses: Array<ServerResponse> = []
      const seen = (message: unknown): void => {
        const { socket, response } = message as { socket: Socket; response: ServerResponse }
        if (socket.localPort === port) responses.push(response)
      }
      subscribe("http.server.request.start", seen)
      return { responses, seen }
    }),
    ({ responses }) => use(() => responses.reduce((sum, one) => sum + one.writableLength, 0)),
    ({ seen }) => Effect.sync(() => unsubscribe("http.server.request.start", seen)),
  )

/** Asks, and hands over the connection before anything of it is read. */
const ask = (world: World.World, who: World.Customer, body: object) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = connect(Number(new URL(world.url).port), "127.0.0.1")
      socket.on("error", () => {})
      socket.pause()
      const text = JSON.stringify(World.chatBody(body))
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${who.token}\r\n` +
          `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      )
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy()),
  )

for (const [name, form, body] of [
  ["a stream", stream, { stream: true }],
  ["an answer in one piece", inOnePiece, {}],
] as const) {
  describe(`a client that takes a kilobyte a second of ${name}`, () => {
    it.live(
      "has a few chunks waiting for it in the proxy and no more, while the rest waits at its source",
      () =>
        Effect.gen(function* () {
          const alice = World.customer("alice")
          const { state, behaviour } = flooding(64 * megabyte, form)
          const world = yield* World.start({ customers: [alice], behaviour })
          let most = 0
          yield* watching(Number(new URL(world.url).port), (buffered) =>
            Effect.gen(function* () {
              const socket = yield* ask(world, alice, body)
              // Until the kernel's buffers are full as well.
              while (!state.blocked) yield* Effect.sleep(20)
              for (let reads = 0; reads < 30; reads++) {
                socket.read(100)
                most = Math.max(most, buffered())
                yield* Effect.sleep(100)
              }
              assert.isTrue(state.blocked)
              assert.isBelow(state.written, 24 * megabyte)
              // The first flush of one that was kept back is its largest piece.
              assert.isBelow(most, 512 * 1024)
            }),
          )
          assert.isAbove(most, 0)
          assert.isAbove((yield* world.view(alice)).held, 0)
        }),
      30_000,
    )
  })
}

describe("a long answer in one piece", () => {
  it.live(
    "goes through unchanged and counted, and is never in the proxy as a whole",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("alice")
        const { behaviour } = flooding(24 * megabyte, inOnePiece)
        const world = yield* World.start({ customers: [alice], behaviour })
        let most = 0
        const bytes = yield* watching(Number(new URL(world.url).port), (buffered) =>
          Effect.promise(async () => {
            const response = await World.post(world, alice.token, World.chatBody())
            let read = 0
            let last = ""
            for await (const chunk of response.body ?? []) {
              read += chunk.length
              last = Buffer.from(chunk).toString()
              most = Math.max(most, buffered())
            }
            assert.isTrue(last.endsWith(inOnePiece.tail.slice(-10)))
            return read
          }),
        )
        assert.isAbove(bytes, 24 * megabyte)
        assert.isBelow(most, megabyte)
        assert.strictEqual((yield* world.settled(alice)).used, 11)
        assert.deepInclude((yield* world.events)[0], { estimated: false })
      }),
    30_000,
  )
})

describe("a client that never reads", () => {
  it.live("is cut off a long answer in one piece as well, and what it asked for is counted", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const { behaviour } = flooding(24 * megabyte, inOnePiece)
      const world = yield* World.start({
        customers: [alice],
        behaviour,
        settings: { clientStall: Duration.millis(200) },
      })
      const socket = yield* ask(world, alice, {})
      while (world.stub.received.length === 0) yield* Effect.sleep(5)
      assert.strictEqual((yield* world.settled(alice)).used, 11)
      // Whoever reads only now finds what had gone out by then, and no more.
      let bytes = 0
      socket.on("data", (chunk) => (bytes += chunk.length))
      socket.resume()
      if (!socket.closed) yield* Effect.promise(() => once(socket, "close"))
      assert.isBelow(bytes, 24 * megabyte)
    }),
  )
})
