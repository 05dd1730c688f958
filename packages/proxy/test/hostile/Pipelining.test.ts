/** Several requests on one connection, sent on ahead: answered in their order, each metered once, and only so many. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stub from "../StubUpstream.ts"
import * as World from "../World.ts"
import { body, errorIn, good, head, say, unharmed } from "./Raw.ts"

const get = (path: string, token: string) =>
  `GET ${path} HTTP/1.1\r\nhost: proxy\r\nauthorization: Bearer ${token}\r\n\r\n`

describe("requests sent on ahead", () => {
  it.live("are answered in their order, whichever is ready first, and each is metered once", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      let count = 0
      const world = yield* World.start({
        customers: [alice],
        // The first takes longest.
        behaviour: (received, response) => {
          count++
          Stub.answering({ prompt: 10, completion: count }, 300 - count * 80)(received, response)
        },
      })
      const heard = yield* say(
        world,
        good(alice.token) + good(alice.token) + get("/v1/models", alice.token) + good(alice.token),
        { enough: 4 },
      )
      const usages = heard.answers.map((one) => JSON.parse(one.text).usage?.completion_tokens)
      assert.deepStrictEqual(usages, [1, 2, undefined, 3])
      assert.strictEqual((yield* world.settled(alice)).used, 36)
      assert.strictEqual((yield* world.events).length, 3)
    }),
  )

  it.live("behind a refused one are served: its body is not taken for the next", () =>
    unharmed((world, who) =>
      Effect.gen(function* () {
        const hidden = get("/v1/usage", who.token)
        const refused = `${head("bth_wrong", `content-length: ${hidden.length}`)}\r\n${hidden}`
        const heard = yield* say(world, refused + get("/v1/models", who.token), { enough: 2, quietMillis: 500 })
        assert.deepStrictEqual(
          heard.answers.map((one) => one.status),
          [401, 200],
        )
        assert.strictEqual(JSON.parse(heard.answers[1]?.text ?? "").object, "list")
        assert.strictEqual(heard.rest, "")
      }),
    ),
  )

  it.live("beyond eight get 429 after the others' answers, and the connection is closed", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.answering({ prompt: 10, completion: 5 }, 200),
      })
      const heard = yield* say(world, good(alice.token).repeat(30))
      const statuses = heard.answers.map((one) => one.status)
      assert.deepStrictEqual(statuses, [...Array<number>(8).fill(200), 429])
      assert.strictEqual(errorIn(heard.answers[8] as never, 429).code, "too_many_pipelined")
      assert.isTrue(heard.closed)
      assert.strictEqual((yield* world.settled(alice)).used, 8 * 15)
      assert.strictEqual(world.stub.received.length, 8)
      assert.strictEqual((yield* World.chat(world, alice.token)).status, 200)
    }),
  )

  it.live("and then garbage: what was asked for is answered and metered first, then 400", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.streaming({ prompt: 10, completion: 5 }, { words: 5, pauseMillis: 50 }),
      })
      const text = JSON.stringify(World.chatBody({ stream: true }))
      const heard = yield* say(world, [good(alice.token, text), "nonsense\r\n\r\n", "more of it"], { pauseMillis: 50 })
      assert.deepStrictEqual(
        heard.answers.map((one) => one.status),
        [200, 400],
      )
      assert.include(heard.answers[0]?.text ?? "", "word4")
      assert.include(heard.answers[0]?.text ?? "", "[DONE]")
      assert.isTrue(heard.closed)
      assert.strictEqual((yield* world.settled(alice)).used, 15)
    }),
  )

  it.live("whose second has a broken body: the first is answered and metered, the second gets 400 in its place", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.answering({ prompt: 10, completion: 5 }, 200),
      })
      const broken = `${head(alice.token, "transfer-encoding: chunked")}\r\nzz\r\n`
      const heard = yield* say(world, good(alice.token) + broken)
      assert.deepStrictEqual(
        heard.answers.map((one) => one.status),
        [200, 400],
      )
      assert.strictEqual((yield* world.settled(alice)).used, 15)
      assert.strictEqual(world.stub.received.length, 1)
    }),
  )
})

it.live("a client that keeps one connection and does everything wrong on others is served all the while", () =>
  Effect.gen(function* () {
    const alice = World.customer("alice")
    const world = yield* World.start({ customers: [alice] })
    const wrong = [
      "\u0000",
      "GET",
      head(alice.token),
      `${head(alice.token, "content-length: 5")}\r\n{`,
      "POST / HTTP/1.1\r\n\r\n\r\n",
    ]
    yield* Effect.all(
      Array.from({ length: 200 }, (_, index) =>
        say(world, wrong[index % wrong.length] as string, { quietMillis: 100 }),
      ),
      { concurrency: 50 },
    )
    const heard = yield* say(world, good(alice.token, body), { enough: 1 })
    assert.strictEqual(heard.answers[0]?.status, 200)
    assert.strictEqual((yield* world.settled(alice)).used, 120)
  }),
)
