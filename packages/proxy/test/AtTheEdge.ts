/**
 * What must hold when many ask at once for the last of an allowance; run on the memory layers and on a real Redis. The
 * upstream here uses each hold up to its last token, so an admission too many would show as `used` above the limit.
 */
import type { Allowance } from "@berth/domain/Allowance"
import type { UsageEvents } from "@berth/domain/UsageEvents"
import { assert, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import { profileOf } from "../src/ByteClasses.ts"
import { estimateOf } from "../src/PromptBound.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

/** Uses all that it was allowed. */
const greedy =
  (prompt: number, delayMillis: number): Stub.Behaviour =>
  (received, response) =>
    Stub.either({ prompt, completion: received.body.max_completion_tokens }, { words: 4, pauseMillis: delayMillis })(
      received,
      response,
    )

const ask = (more: object) => World.chatBody({ max_completion_tokens: 1_000, ...more })
const { bound: promptBound } = estimateOf(profileOf(Buffer.from(JSON.stringify(ask({ stream: true })))))

export const suite = (stores: () => Layer.Layer<Allowance | UsageEvents>) => {
  it.live(
    "200 at once at the edge: no hold above the limit, all that fit are admitted, nobody is told the month is over by mistake",
    () =>
      Effect.gen(function* () {
        const plan = 60_000
        const alice = World.customer("edge-alice", { plan })
        const world = yield* World.start({
          customers: [alice],
          allowance: stores(),
          behaviour: greedy(50, 15),
          settings: { upstreamSlots: 200, allowanceWait: Duration.millis(400) },
        })
        let overHeld = 0
        const watch = Effect.forever(
          Effect.andThen(
            Effect.map(world.view(alice), (view) => {
              if (view.used + view.held > view.limit) overHeld++
            }),
            Effect.sleep(3),
          ),
        )
        yield* World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 10 }))
        const watching = yield* Effect.forkChild(watch)
        const answers = yield* Effect.all(
          Array.from({ length: 200 }, (_, index) =>
            World.chat(world, alice.token, ask(index % 2 === 0 ? { stream: true } : {})),
          ),
          { concurrency: "unbounded" },
        )
        const view = yield* world.settled(alice)
        yield* Fiber.interrupt(watching)
        assert.strictEqual(overHeld, 0)
        assert.isAtMost(view.used, plan)
        const served = answers.filter((one) => one.status === 200)
        const refused = answers.filter((one) => one.status !== 200).map((one) => one.json().error.code)
        // Everything that fits was served: what is left would not carry one more call.
        assert.isAbove(served.length, 40)
        assert.isBelow(plan - view.used, promptBound + 1_000)
        // The monthly words only from those who came when even an idle allowance could not have carried them.
        const lastCode = yield* World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 2_000 }))
        assert.strictEqual(lastCode.json().error.code, "usage_limit_reached")
        for (const code of refused) assert.include(["rate_limit_exceeded", "usage_limit_reached"], code)
        const told = yield* world.events
        assert.strictEqual(told.filter((event) => event._tag === "usage").length, served.length + 1)
        assert.strictEqual(told.filter((event) => event._tag === "exhausted").length, 1, "the customer is told once")
      }),
  )

  it.live(
    "200 at once under a daily cap: what is held and charged stays within it, and only who could not fit the day at all is told so",
    () =>
      Effect.gen(function* () {
        const dailyCap = 30_000
        const alice = World.customer("edge-erin", { dailyCap })
        const world = yield* World.start({
          customers: [alice],
          allowance: stores(),
          behaviour: greedy(50, 15),
          settings: { upstreamSlots: 200, allowanceWait: Duration.millis(400) },
        })
        yield* World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 10 }))
        let beyond = 0
        const watch = Effect.forever(
          Effect.andThen(
            Effect.map(world.view(alice), (view) => {
              if (view.today.used + view.held > dailyCap) beyond++
            }),
            Effect.sleep(3),
          ),
        )
        const watching = yield* Effect.forkChild(watch)
        const answers = yield* Effect.all(
          Array.from({ length: 200 }, () => World.chat(world, alice.token, ask({ stream: true }))),
          { concurrency: "unbounded" },
        )
        const view = yield* world.settled(alice)
        yield* Fiber.interrupt(watching)
        assert.strictEqual(beyond, 0)
        assert.isAtMost(view.today.used, dailyCap)
        assert.isBelow(dailyCap - view.today.used, promptBound + 1_000, "what is left would not carry one more call")
        for (const answer of answers) {
          if (answer.status === 200) continue
          assert.include(["rate_limit_exceeded", "daily_limit_reached"], answer.json().error.code)
        }
        const last = yield* World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 2_000 }))
        assert.strictEqual(last.json().error.code, "daily_limit_reached")
        assert.deepStrictEqual(
          (yield* world.events).filter((event) => event._tag === "exhausted"),
          [],
        )
      }),
  )

  it.live("one that fits the allowance, but not beside the open holds, waits and is then admitted", () =>
    Effect.gen(function* () {
      const alice = World.customer("edge-bob", { plan: 3_000 })
      const world = yield* World.start({
        customers: [alice],
        allowance: stores(),
        behaviour: Stub.answering({ prompt: 50, completion: 10 }, 250),
      })
      const first = yield* Effect.forkChild(
        World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 2_900 })),
      )
      while (world.stub.received.length === 0) yield* Effect.sleep(5)
      const second = yield* World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 2_000 }))
      assert.strictEqual(second.status, 200)
      assert.strictEqual(world.stub.load.most, 1)
      assert.strictEqual((yield* Fiber.join(first)).status, 200)
      assert.strictEqual((yield* world.settled(alice)).used, 120)
    }),
  )

  it.live(
    "one that waits in vain is told to try again, never that the month is over, and a small one passes it by",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("edge-carol", { plan: 5_000 })
        const world = yield* World.start({
          customers: [alice],
          allowance: stores(),
          behaviour: Stub.answering({ prompt: 50, completion: 10 }, 600),
          settings: { allowanceWait: Duration.millis(200) },
        })
        const holder = yield* Effect.forkChild(
          World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 4_000 })),
        )
        while (world.stub.received.length === 0) yield* Effect.sleep(5)
        const [waited, small] = yield* Effect.all(
          [
            World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 2_000 })),
            World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 100 })),
          ],
          { concurrency: "unbounded" },
        )
        assert.strictEqual(waited.status, 429)
        assert.strictEqual(waited.json().error.code, "rate_limit_exceeded")
        assert.strictEqual(waited.headers.get("retry-after"), "2")
        assert.strictEqual(small.status, 200)
        assert.strictEqual((yield* Fiber.join(holder)).status, 200)
        assert.strictEqual((yield* world.settled(alice)).held, 0)
      }),
  )

  it.live("one whose client leaves while it waits takes nothing", () =>
    Effect.gen(function* () {
      const alice = World.customer("edge-dave", { plan: 3_000 })
      const world = yield* World.start({
        customers: [alice],
        allowance: stores(),
        behaviour: Stub.answering({ prompt: 50, completion: 10 }, 300),
      })
      yield* Effect.forkChild(World.chat(world, alice.token, World.chatBody({ max_completion_tokens: 2_900 })))
      while (world.stub.received.length === 0) yield* Effect.sleep(5)
      const controller = new AbortController()
      const leaving = World.post(world, alice.token, World.chatBody({ max_completion_tokens: 2_000 }), {
        signal: controller.signal,
      }).catch(() => "gone")
      yield* Effect.sleep(60)
      controller.abort()
      yield* Effect.promise(() => leaving)
      assert.strictEqual((yield* world.settled(alice)).used, 60)
      yield* Effect.sleep(200)
      assert.strictEqual(world.stub.received.length, 1)
      assert.strictEqual((yield* world.view(alice)).held, 0)
    }),
  )
}
