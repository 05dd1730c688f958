import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { CustomerId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { routes } from "../../src/api/Server.ts"
import { CustomerEvents } from "../../src/notify/CustomerEvents.ts"
import { ask, openSession, origin, serve, stores } from "./World.ts"

const server = serve(routes).pipe(
  Layer.provideMerge(CustomerEvents.layer),
  Layer.provideMerge(stores),
  Layer.provideMerge(NodeSocket.layerWebSocketConstructor),
)

/** Listens until the scope closes; what came. */
const listen = Effect.fn(function* (after: number, headers: Record<string, string>) {
  const at = yield* origin
  const socket = yield* Socket.makeWebSocket(`${at.replace(/^http/, "ws")}/api/events?after=${after}`, { headers })
  const { pull } = yield* socket.reader
  const seen: Array<{ seq: number; orderId: string }> = []
  yield* pull.pipe(
    Effect.map((frames) => frames.forEach((frame) => seen.push(JSON.parse(String(frame))))),
    Effect.forever,
    Effect.ignore,
    Effect.forkScoped,
  )
  return seen
})

const eventually = (is: () => boolean) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 300 && !is(); tries += 1) yield* Effect.sleep("20 millis")
    assert.isTrue(is())
  })

const tell = (accountId: string, from: number, to: number, announce = true) =>
  CustomerEvents.use((events) =>
    Effect.gen(function* () {
      const id = CustomerId.make(accountId)
      for (let n = from; n <= to; n += 1) {
        yield* events.append(id, `${accountId}:${n}`, { _tag: "paid", orderId: `o${n}` })
        if (announce) yield* events.announce(id)
      }
    }),
  )

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

layer(server, { excludeTestServices: true })("the events' WebSocket", (it) => {
  it.effect("resumes after a seq without losing or repeating an event, while more are written", () =>
    Effect.gen(function* () {
      const { accountId, token } = yield* openSession
      const headers = { authorization: `Bearer ${token}` }
      yield* tell(accountId, 1, 130)
      const writing = yield* Effect.forkChild(tell(accountId, 131, 260))
      const first = yield* Scope.make()
      const before = yield* listen(0, headers).pipe(Scope.provide(first))
      yield* eventually(() => before.length >= 150)
      yield* Scope.close(first, yield* Effect.exit(Effect.void))
      const last = before.at(-1)?.seq ?? 0
      const after = yield* listen(last, headers)
      yield* Fiber.join(writing)
      yield* eventually(() => last + after.length >= 260)
      assert.deepStrictEqual(
        [...before, ...after].map((event) => event.seq),
        numbers(1, 260),
      )
      assert.strictEqual(after.at(-1)?.orderId, "o260")
    }).pipe(Effect.scoped),
  )

  it.effect("finds what nobody announced", () =>
    Effect.gen(function* () {
      const { accountId, token } = yield* openSession
      const seen = yield* listen(0, { authorization: `Bearer ${token}` })
      yield* Effect.sleep("200 millis")
      yield* tell(accountId, 1, 2, false)
      yield* eventually(() => seen.length === 2)
    }).pipe(Effect.scoped),
  )

  it.effect("tells an account its own events alone", () =>
    Effect.gen(function* () {
      const mine = yield* openSession
      const other = yield* openSession
      const seen = yield* listen(0, { authorization: `Bearer ${other.token}` })
      yield* tell(mine.accountId, 1, 3)
      yield* tell(other.accountId, 1, 1)
      yield* eventually(() => seen.length >= 1)
      assert.deepStrictEqual(
        seen.map((event) => event.seq),
        [1],
      )
    }).pipe(Effect.scoped),
  )

  it.effect("takes the cookie of our own pages, not of another site's", () =>
    Effect.gen(function* () {
      const opened = yield* ask("/api/session", { body: {} })
      const cookie = opened.cookie?.split(";")[0] ?? ""
      yield* tell(opened.json.accountId, 1, 1)
      const seen = yield* listen(0, { cookie, origin: "http://127.0.0.1:3000" })
      yield* eventually(() => seen.length === 1)
      const foreign = yield* Effect.flip(listen(0, { cookie, origin: "https://evil.example" }))
      assert.strictEqual(foreign._tag, "SocketError")
    }).pipe(Effect.scoped),
  )

  it.effect("answers 401 without a session and 400 to a wrong place", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ask("/api/events?after=0")).status, 401)
      const { token } = yield* openSession
      const headers = { authorization: `Bearer ${token}` }
      assert.strictEqual((yield* ask("/api/events?after=x", { headers })).status, 400)
      assert.strictEqual((yield* ask("/api/events?after=0", { headers })).status, 426)
      const refused = yield* Effect.flip(listen(0, { authorization: "Bearer made-up" }))
      assert.strictEqual(refused._tag, "SocketError")
    }).pipe(Effect.scoped),
  )
})
