/** Streams that do not end as they should: each is settled, once, and no hold stays behind. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

/** Reads the first piece of a stream and hangs up. */
const hangUpAfterFirst = (world: World.World, token: string) =>
  Effect.promise(async () => {
    const controller = new AbortController()
    const response = await World.post(world, token, World.chatBody({ stream: true }), { signal: controller.signal })
    await response.body?.getReader().read()
    controller.abort()
  })

describe("a client that hangs up", () => {
  it.live("mid-stream is settled at the true usage, read on within the bound", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.streaming({ prompt: 300, completion: 10 }, { words: 10, pauseMillis: 15 }),
      })
      yield* hangUpAfterFirst(world, alice.token)
      assert.isAbove((yield* world.view(alice)).held, 0)
      const view = yield* world.settled(alice)
      assert.strictEqual(view.used, 310)
      const events = yield* world.events
      assert.strictEqual(events.length, 1)
      assert.deepInclude(events[0], { _tag: "usage", estimated: false })
    }),
  )

  it.live("while the upstream stalls is cut after the bound and settled by estimate, flagged", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.stalling(8),
        settings: { hangUpDrain: Duration.millis(150) },
      })
      yield* hangUpAfterFirst(world, alice.token)
      const view = yield* world.settled(alice)
      const [event] = yield* world.events
      assert.deepInclude(event, { _tag: "usage", estimated: true })
      assert.isAbove(view.used, 8)
      // "word0 " is six bytes; never more tokens than bytes seen, and a prompt of a few words.
      assert.isBelow(view.used, 8 * 6 + 60)
      yield* Effect.sleep(50)
      assert.strictEqual(world.stub.load.now, 0)
    }),
  )

  it.live("before the first byte is settled all the same", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.answering({ prompt: 40, completion: 2 }, 100),
      })
      const controller = new AbortController()
      const gone = Effect.promise(() =>
        World.post(world, alice.token, World.chatBody(), { signal: controller.signal }).then(
          () => "answered",
          () => "gone",
        ),
      )
      yield* Effect.forkChild(gone)
      while (world.stub.received.length === 0) yield* Effect.sleep(5)
      controller.abort()
      const view = yield* world.settled(alice)
      assert.strictEqual(view.used, 42)
    }),
  )

  it.live("and asks again is billed for both tries, and no more", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.streaming({ prompt: 100, completion: 10 }, { words: 6, pauseMillis: 10 }),
      })
      yield* hangUpAfterFirst(world, alice.token)
      const answer = yield* World.chat(world, alice.token, World.chatBody({ stream: true }))
      assert.include(answer.text, "[DONE]")
      assert.strictEqual((yield* world.settled(alice)).used, 220)
      assert.strictEqual((yield* world.events).length, 2)
    }),
  )
})

describe("a stream that is sent again", () => {
  it.live(
    "as OpenClaw does after a reset: each try is billed once, the first flagged, and one trace ties them together",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("alice")
        const world = yield* World.start({
          customers: [alice],
          behaviour: Stub.inTurn(Stub.resetting(8), Stub.streaming({ prompt: 100, completion: 10 })),
        })
        const trace = "0af7651916cd43dd8448eb211c80319c"
        const send = (span: string) =>
          Effect.promise(() =>
            World.post(world, alice.token, World.chatBody({ stream: true }), {
              headers: {
                authorization: `Bearer ${alice.token}`,
                "content-type": "application/json",
                traceparent: `00-${trace}-${span}-01`,
              },
            })
              .then((response) => response.text())
              .catch(() => "broken"),
          )
        assert.strictEqual(yield* send("b7ad6b7169203331"), "broken")
        assert.include(yield* send("b7ad6b7169203332"), "[DONE]")
        const { used } = yield* world.settled(alice)
        const tries = (yield* world.events).filter((one) => one._tag === "usage")
        assert.deepStrictEqual(
          tries.map((one) => [one.traceId, one.estimated]),
          [
            [trace, true],
            [trace, false],
          ],
        )
        assert.strictEqual(new Set(tries.map((one) => one.requestId)).size, 2)
        assert.strictEqual(tries[1]?.charge, 110)
        assert.strictEqual(
          used,
          tries.reduce((sum, one) => sum + one.charge, 0),
        )
        // "word0 " is six bytes.
        assert.isAtMost(tries[0]?.usage.completion ?? 0, 8 * 6)
      }),
  )
})

describe("an upstream that breaks off", () => {
  it.live("mid-stream is settled by estimate and the client sees that the answer is not whole", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice], behaviour: Stub.resetting(8) })
      const ended = yield* Effect.promise(() =>
        World.post(world, alice.token, World.chatBody({ stream: true }))
          .then((response) => response.text())
          .then(
            () => "whole",
            () => "broken",
          ),
      )
      assert.strictEqual(ended, "broken")
      const view = yield* world.settled(alice)
      const events = yield* world.events
      assert.strictEqual(events.length, 1)
      assert.deepInclude(events[0], { _tag: "usage", estimated: true, charge: view.used })
      assert.strictEqual(world.stub.received.length, 1)
    }),
  )
})

describe("a slow client", () => {
  it.live("keeps the upstream waiting instead of filling the proxy's memory", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      let written = 0
      let blocked = false
      const world = yield* World.start({
        customers: [alice],
        behaviour: (_received, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          const more = () => {
            while (written < 64 * 1024 * 1024) {
              const text = Stub.word(0).repeat(500)
              written += text.length
              if (!response.write(text)) {
                blocked = true
                response.once("drain", more)
                return
              }
            }
            response.end(Stub.finish({ prompt: 10, completion: 1 }))
          }
          more()
        },
      })
      const response = yield* Effect.promise(() => World.post(world, alice.token, World.chatBody({ stream: true })))
      yield* Effect.sleep(400)
      assert.isTrue(blocked)
      // Socket buffers on both sides hold a few MB at most; the rest waits at its source.
      assert.isBelow(written, 24 * 1024 * 1024)
      yield* Effect.promise(() => response.body?.cancel() ?? Promise.resolve())
      yield* world.settled(alice)
    }),
  )
})

describe("a client that never reads", () => {
  /** More than all buffers between the stub and the client hold. */
  const flood: Stub.Behaviour = (_received, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    let left = 32
    const more = () => {
      while (left-- > 0) {
        if (!response.write(Stub.word(0).repeat(6_000))) return void response.once("drain", more)
      }
      response.end(Stub.finish({ prompt: 10, completion: 1 }))
    }
    more()
  }

  it.live("is let go after a while, and its call read on and settled", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: flood,
        settings: { clientStall: Duration.millis(200) },
      })
      const response = yield* Effect.promise(() => World.post(world, alice.token, World.chatBody({ stream: true })))
      assert.strictEqual((yield* world.settled(alice)).used, 11)
      const ended = yield* Effect.promise(() =>
        response.text().then(
          () => "whole",
          () => "broken",
        ),
      )
      assert.strictEqual(ended, "broken")
    }),
  )

  it.live("but reads now and then gets all of it", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: flood,
        settings: { clientStall: Duration.millis(400) },
      })
      const response = yield* Effect.promise(() => World.post(world, alice.token, World.chatBody({ stream: true })))
      const end = yield* Effect.promise(async () => {
        let last = ""
        let bytes = 0
        for await (const piece of response.body ?? []) {
          last = Buffer.from(piece).toString("utf8")
          const megabytes = Math.floor((bytes + piece.length) / 4_000_000) - Math.floor(bytes / 4_000_000)
          bytes += piece.length
          if (megabytes > 0) await new Promise((resume) => setTimeout(resume, 100))
        }
        return last
      })
      assert.isTrue(end.endsWith("data: [DONE]\n\n"))
      assert.strictEqual((yield* world.settled(alice)).used, 11)
    }),
  )
})

describe("a shutdown", () => {
  it.live("settles the streams that it cuts", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const left = yield* Effect.scoped(
        Effect.gen(function* () {
          const world = yield* World.start({ customers: [alice], behaviour: Stub.stalling(5) })
          const response = yield* Effect.promise(() => World.post(world, alice.token, World.chatBody({ stream: true })))
          const reader = response.body?.getReader()
          yield* Effect.promise(async () => reader?.read())
          // The connection dies with the server; nobody waits for it.
          reader?.closed.catch(() => undefined)
          return world
        }),
      )
      const view = yield* left.view(alice)
      assert.strictEqual(view.held, 0)
      assert.isAbove(view.used, 0)
    }),
  )
})
