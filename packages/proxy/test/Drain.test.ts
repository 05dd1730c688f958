/** What becomes of connections when the process is told to stop. */
import { connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { answersIn, good, head, portOf } from "./hostile/Raw.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

/** A connection that is spoken on from time to time. */
const open = (world: World.World) =>
  Effect.callback<{ readonly socket: Socket; readonly state: { heard: string; closed: boolean } }>((resume) => {
    const state = { heard: "", closed: false }
    const socket = connect(portOf(world), "127.0.0.1", () => resume(Effect.succeed({ socket, state })))
    socket.on("data", (chunk) => (state.heard += chunk.toString("latin1")))
    socket.on("error", () => {})
    socket.on("end", () => socket.end())
    socket.on("close", () => (state.closed = true))
  })
const until = (what: () => boolean) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 500 && !what(); tries++) yield* Effect.sleep(10)
    assert.isTrue(what())
  })
const headersOf = (heard: string) => answersIn(heard).answers.map((one) => one.headers["connection"]?.toLowerCase())

const stream = JSON.stringify(World.chatBody({ stream: true }))
const models = (token: string) => `GET /v1/models HTTP/1.1\r\nhost: proxy\r\nauthorization: Bearer ${token}\r\n\r\n`

/** A proxy in a scope of its own, and what ends it. */
const start = Effect.fnUntraced(function* (options: World.Options) {
  const scope = yield* Scope.make()
  const world = yield* Scope.provide(World.start({ drain: "5 seconds", ...options }), scope)
  return { world, stop: Scope.close(scope, Exit.void) }
})

describe("a proxy that is told to stop", () => {
  it.live(
    "lets streams end, answers requests that are half there and closes each connection with its answer, idle ones at once",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("alice")
        const { world, stop } = yield* start({
          customers: [alice],
          behaviour: Stub.either({ prompt: 10, completion: 5 }, { words: 20, pauseMillis: 50 }),
        })
        const [streaming, slow, idle] = yield* Effect.all([open(world), open(world), open(world)])
        streaming.socket.write(good(alice.token, stream))
        idle.socket.write(models(alice.token))
        yield* until(() => streaming.state.heard.includes("word2") && idle.state.heard.includes("object"))
        assert.deepStrictEqual(headersOf(idle.state.heard), ["keep-alive"])
        // Half of a request is there when the end begins.
        slow.socket.write(`${head(alice.token, `content-length: ${stream.length}`)}\r\n${stream.slice(0, 10)}`)
        yield* Effect.sleep(50)
        const before = Date.now()
        const stopping = yield* Effect.forkChild(stop)
        yield* Effect.sleep(30)
        slow.socket.write(stream.slice(10))
        yield* until(() => idle.state.closed)
        assert.isBelow(Date.now() - before, 3_000)
        yield* Fiber.join(stopping)
        yield* until(() => [streaming, slow].every((one) => one.state.closed))
        assert.include(streaming.state.heard, "word19")
        assert.include(streaming.state.heard, "[DONE]")
        assert.include(slow.state.heard, "[DONE]")
        assert.deepStrictEqual(headersOf(slow.state.heard), ["close"])
        assert.strictEqual((yield* world.view(alice)).used, 30)
        assert.strictEqual((yield* world.view(alice)).held, 0)
      }),
  )

  it.live("takes no new connection", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const { world, stop } = yield* start({
        customers: [alice],
        behaviour: Stub.streaming({ prompt: 10, completion: 5 }, { words: 10, pauseMillis: 50 }),
      })
      const streaming = yield* open(world)
      streaming.socket.write(good(alice.token, stream))
      yield* until(() => streaming.state.heard.includes("word0"))
      const stopping = yield* Effect.forkChild(stop)
      yield* Effect.sleep(20)
      const refused = yield* Effect.callback<string>((resume) => {
        connect(portOf(world), "127.0.0.1")
          .on("connect", () => resume(Effect.succeed("connected")))
          .on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code ?? "")))
      })
      assert.strictEqual(refused, "ECONNREFUSED")
      yield* Fiber.join(stopping)
      yield* until(() => streaming.state.closed)
      assert.include(streaming.state.heard, "[DONE]")
    }),
  )

  it.live("answers a request that was sent on ahead behind a stream, and meters it", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const { world, stop } = yield* start({
        customers: [alice],
        behaviour: Stub.either({ prompt: 10, completion: 5 }, { words: 10, pauseMillis: 50 }),
      })
      const one = yield* open(world)
      one.socket.write(good(alice.token, stream) + good(alice.token))
      yield* until(() => one.state.heard.includes("word0") && world.stub.received.length === 2)
      yield* stop
      yield* until(() => one.state.closed)
      assert.deepStrictEqual(
        answersIn(one.state.heard).answers.map((answer) => answer.status),
        [200, 200],
      )
      assert.strictEqual((yield* world.view(alice)).used, 30)
    }),
  )

  it.live("ends what goes on beyond its time, and settles it", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const { world, stop } = yield* start({
        customers: [alice],
        drain: "300 millis",
        settings: { hangUpDrain: "100 millis" as never },
        behaviour: Stub.streaming({ prompt: 10, completion: 5 }, { words: 1_000, pauseMillis: 50 }),
      })
      const one = yield* open(world)
      one.socket.write(good(alice.token, stream))
      yield* until(() => one.state.heard.includes("word0"))
      const before = Date.now()
      yield* stop
      assert.isBelow(Date.now() - before, 5_000)
      const view = yield* world.view(alice)
      assert.strictEqual(view.held, 0)
      assert.isAbove(view.used, 0)
    }),
  )
})
