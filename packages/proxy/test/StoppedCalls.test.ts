/** Ops stop what is under way: the upstream is let go, what was seen is counted, and nothing stays held. How soon: Stops.test.ts. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

/** Reads a stream to its end, whole or not. */
const readAll = (response: Response) =>
  Effect.promise(async () => {
    let text = ""
    const decoder = new TextDecoder()
    try {
      for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true })
      return { text, whole: true }
    } catch {
      return { text, whole: false }
    }
  })

const stream = (world: World.World, token: string) =>
  Effect.promise(() => World.post(world, token, World.chatBody({ stream: true })))

const received = (world: World.World, count: number) =>
  Effect.gen(function* () {
    while (world.stub.received.length < count) yield* Effect.sleep(5)
  })

const errorOf = (text: string): { readonly code: string; readonly message: string } => {
  const line = text.split("\n").findLast((one) => one.startsWith("data: {")) ?? ""
  return JSON.parse(line.slice("data: ".length)).error
}

describe("a call that ops stop", () => {
  it.live("in the midst of its stream is cut with a word of why, settled by estimate, and its place is free", () =>
    Effect.gen(function* () {
      const [alice, bob] = [World.customer("alice"), World.customer("bob")]
      const world = yield* World.start({ customers: [alice, bob], behaviour: Stub.stalling(8) })
      const response = yield* stream(world, alice.token)
      assert.strictEqual(response.status, 200)
      const other = yield* stream(world, bob.token)
      yield* world.switches.stop(`customer:${alice.customerId}`, "abuse")
      const cut = yield* readAll(response)
      assert.isFalse(cut.whole)
      assert.strictEqual(errorOf(cut.text).code, "agent_stopped")
      assert.notInclude(cut.text, "abuse")

      const view = yield* world.settled(alice)
      const [event, ...more] = yield* world.events
      assert.deepInclude(event, { _tag: "usage", customerId: alice.customerId, estimated: true, charge: view.used })
      assert.deepStrictEqual(more, [])
      assert.isAbove(view.used, 8)
      assert.isBelow(view.used, 8 * 6 + 60)
      while (world.stub.load.now > 1) yield* Effect.sleep(5)

      const next = yield* World.chat(world, alice.token)
      assert.strictEqual(next.status, 423)
      assert.strictEqual(next.json().error.code, "agent_stopped")
      assert.strictEqual(world.stub.load.now, 1, "the other customer's call goes on")
      yield* Effect.promise(() => other.body?.cancel() ?? Promise.resolve())
    }),
  )

  it.live("before its answer has begun is told so in an answer of its own", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice], behaviour: Stub.silent })
      const waiting = yield* Effect.forkChild(World.chat(world, alice.token))
      yield* received(world, 1)
      yield* world.switches.stop("model:kimi-k2.6", "it answers nonsense")
      const answer = yield* Fiber.join(waiting)
      assert.strictEqual(answer.status, 423)
      assert.strictEqual(answer.json().error.code, "model_stopped")
      assert.isNull(answer.headers.get("retry-after"))
      assert.strictEqual(world.stub.received.length, 1, "not asked again")
      // The upstream has read the prompt, so it is counted.
      assert.isAbove((yield* world.settled(alice)).used, 0)
      assert.deepInclude((yield* world.events)[0], { _tag: "usage", estimated: true })
      const other = yield* Effect.forkChild(World.chat(world, alice.token, World.chatBody({ model: "kimi-k2.7-code" })))
      yield* received(world, 2)
      yield* Fiber.interrupt(other)
    }),
  )

  it.live("while it waits for a place at the upstream never goes out, and is not charged", () =>
    Effect.gen(function* () {
      const [alice, bob] = [World.customer("alice"), World.customer("bob")]
      const world = yield* World.start({
        customers: [alice, bob],
        behaviour: Stub.silent,
        settings: { upstreamSlots: 1 },
      })
      const first = yield* Effect.forkChild(World.chat(world, alice.token))
      yield* received(world, 1)
      const second = yield* Effect.forkChild(World.chat(world, bob.token))
      const isHeld = Effect.map(
        world.allowance.view(bob.customerId),
        (view) => Option.isSome(view) && view.value.held > 0,
      )
      while (!(yield* isHeld)) yield* Effect.sleep(5)
      yield* world.switches.stop("all", "the provider is down")
      assert.strictEqual((yield* Fiber.join(first)).status, 423)
      assert.strictEqual((yield* Fiber.join(second)).status, 423)
      assert.strictEqual(world.stub.received.length, 1)
      assert.strictEqual((yield* world.settled(bob)).used, 0)
      yield* world.settled(alice)
      yield* world.switches.resume("all")
      // The proxy may not have looked yet, and then stops it once more.
      const again = Effect.repeat(World.chat(world, bob.token), { while: ({ status }) => status === 423 })
      const third = yield* Effect.forkChild(again)
      yield* received(world, 2)
      yield* Fiber.interrupt(third)
    }),
  )

  it.live("whose client has gone is not read on for the sake of its usage", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.stalling(8),
        settings: { hangUpDrain: Duration.minutes(10) },
      })
      yield* Effect.promise(async () => {
        const controller = new AbortController()
        const response = await World.post(world, alice.token, World.chatBody({ stream: true }), {
          signal: controller.signal,
        })
        await response.body?.getReader().read()
        controller.abort()
      })
      yield* world.switches.stop("all", "the provider is down")
      yield* world.settled(alice)
      while (world.stub.load.now > 0) yield* Effect.sleep(5)
      assert.deepInclude((yield* world.events)[0], { _tag: "usage", estimated: true })
    }),
  )
})
