/** While the way to Kimi is down, cut, narrow or silent: the right answer, the right settlement, and no hold stays behind. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stub from "../StubUpstream.ts"
import * as World from "../World.ts"
import { answersOf, counted, until } from "./GatedFleet.ts"
import * as LightClient from "./LightClient.ts"
import * as ToxicFleet from "./ToxicFleet.ts"

ToxicFleet.prepare()

const counts = { prompt: 30, completion: 60 }
const words = 60
const charge = counts.prompt + counts.completion

/** Two proxies before an upstream that sends a word each so many ms. */
const start = Effect.fnUntraced(function* (name: string, pauseMillis: number) {
  const alice = World.customer(name)
  const fleet = yield* ToxicFleet.make({
    customers: [alice],
    behaviour: Stub.streaming(counts, { words, pauseMillis }),
    env: { PROXY_HANGUP_DRAIN: "1 second" },
  })
  const send = (count: number) =>
    Array.from({ length: count }, (_, index) =>
      LightClient.send(
        fleet.proxies[index % 2]?.url ?? "",
        alice.token,
        World.chatBody({ stream: true, max_completion_tokens: 500 }),
      ),
    )
  const hurt = (toxic: Parameters<(typeof fleet.links)[number]["kimi"]["add"]>[0]) =>
    Effect.map(
      Effect.forEach(fleet.links, ({ kimi }) => kimi.add(toxic)),
      (back) => Effect.all(back, { discard: true }),
    )
  /** All streams that are under way have brought their first words. */
  const speaking = (sent: ReadonlyArray<LightClient.Sent>) =>
    until("all speak", 20, () => sent.every((one) => one.text().includes("word2 ")))
  const served = Effect.gen(function* () {
    const deadline = performance.now() + 10_000
    while ((yield* answersOf(send(1)))[0]?.status !== 200) assert.isBelow(performance.now(), deadline, "still refused")
  })
  return { fleet, alice, send, hurt, speaking, served }
})

const everyWord = Array.from({ length: words }, (_, index) => `word${index} `)
const wordsOf = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1] ?? "")

const assertServed = (answers: ReadonlyArray<LightClient.Answer>) => {
  for (const { status, whole, text } of answers) {
    assert.deepStrictEqual([status, whole], [200, true])
    assert.deepStrictEqual(wordsOf(text), everyWord)
    assert.isTrue(text.endsWith("data: [DONE]\n\n"))
  }
}

describe("while Kimi", () => {
  it.live(
    "is down or resets every connection, requests are refused, nothing is charged or held, and all is well when it is back",
    () =>
      Effect.gen(function* () {
        const { fleet, alice, send, hurt, served } = yield* start("kimi-down", 2)
        assertServed(yield* answersOf(send(2)))
        const down = Effect.map(
          Effect.forEach(fleet.links, ({ kimi }) => kimi.down),
          () => Effect.forEach(fleet.links, ({ kimi }) => kimi.up, { discard: true }),
        )
        const resets = hurt({ stream: "downstream", type: "reset_peer", attributes: { timeout: 0 } })
        for (const way of [down, resets]) {
          const before = yield* fleet.settled(alice)
          const back = yield* way
          for (const { status, code, headers } of yield* answersOf(send(10)))
            assert.deepStrictEqual([status, code, headers["retry-after"]], [503, "upstream_unavailable", "2"])
          assert.strictEqual((yield* fleet.settled(alice)).used, before.used)
          yield* back
          yield* served
        }
        assertServed(yield* answersOf(send(10)))
        const end = yield* fleet.settled(alice)
        const { calls } = yield* counted(fleet)
        assert.strictEqual(end.used, calls * charge)
      }),
    180_000,
  )

  it.live(
    "breaks off in the midst of streams, their clients see it and each is settled once, by estimate, for what was seen",
    () =>
      Effect.gen(function* () {
        const { fleet, alice, send, hurt, speaking, served } = yield* start("kimi-breaks", 40)
        const cuts = [
          Effect.as(
            Effect.forEach(fleet.links, ({ kimi }) => kimi.down),
            Effect.forEach(fleet.links, ({ kimi }) => kimi.up, { discard: true }),
          ),
          hurt({ stream: "downstream", type: "reset_peer", attributes: { timeout: 0 } }),
          hurt({ stream: "downstream", type: "limit_data", attributes: { bytes: 10 } }),
        ]
        for (const cut of cuts) {
          yield* fleet.settled(alice)
          const before = yield* counted(fleet)
          const sent = send(8)
          yield* speaking(sent)
          const back = yield* cut
          const answers = yield* answersOf(sent)
          yield* back
          for (const { status, whole, text } of answers) {
            assert.strictEqual(status, 200)
            // Either the connection breaks or the stream itself says so; it never looks as if it were all.
            assert.isFalse(whole && text.includes("[DONE]"))
          }
          yield* fleet.settled(alice)
          const { usage } = yield* counted(fleet)
          const cutOnes = usage.slice(before.calls)
          assert.lengthOf(cutOnes, 8)
          const seen = Math.max(...answers.map(({ text }) => wordsOf(text).join("").length))
          for (const one of cutOnes) {
            assert.isTrue(one.estimated)
            // The little that the upstream said after that may be in it, but a token is more than a byte.
            assert.isAtMost(one.usage.completion, Math.max(seen, 200))
            assert.isAbove(one.charge, 0)
          }
          yield* served
        }
        const end = yield* fleet.settled(alice)
        assert.strictEqual(end.used, (yield* counted(fleet)).charge)
      }),
    180_000,
  )

  it.live(
    "falls silent in the midst of streams, a client that gives up is settled within the bound, by estimate",
    () =>
      Effect.gen(function* () {
        const { fleet, alice, send, hurt, speaking } = yield* start("kimi-silent", 40)
        const sent = send(8)
        yield* speaking(sent)
        const back = yield* hurt({ stream: "downstream", type: "timeout", attributes: { timeout: 0 } })
        yield* Effect.sleep(300)
        for (const one of sent) one.abort()
        // One second of reading on, and time for a busy machine; silence itself is borne for minutes.
        const end = yield* fleet.settled(alice, 10)
        const { usage, charge } = yield* counted(fleet)
        assert.lengthOf(usage, 8)
        for (const one of usage) assert.isTrue(one.estimated)
        assert.strictEqual(end.used, charge)
        yield* back
      }),
    180_000,
  )

  it.live(
    "falls silent before the first byte, a client that gives up leaves no hold",
    () =>
      Effect.gen(function* () {
        const { fleet, alice, send, hurt, served } = yield* start("kimi-mute", 2)
        const back = yield* hurt({ stream: "downstream", type: "timeout", attributes: { timeout: 0 } })
        const sent = send(6)
        yield* until("all are at the upstream", 20, () => fleet.stub.received.length >= 6)
        for (const one of sent) one.abort()
        yield* fleet.settled(alice, 10)
        yield* back
        yield* served
        const end = yield* fleet.settled(alice)
        const { calls, charge: sum, usage } = yield* counted(fleet)
        assert.strictEqual(end.used, sum)
        // The upstream had them and may charge us: each is settled, once, for its prompt alone.
        assert.isAtMost(calls, 7)
        for (const one of usage.filter(({ estimated }) => estimated)) assert.strictEqual(one.usage.completion, 0)
      }),
    180_000,
  )

  it.live(
    "is slow, narrow or comes in crumbs, every byte arrives and the true usage is counted",
    () =>
      Effect.gen(function* () {
        const { fleet, alice, send, hurt } = yield* start("kimi-narrow", 2)
        const ways = [
          { stream: "downstream", type: "latency", attributes: { latency: 1_000, jitter: 300 } },
          { stream: "upstream", type: "latency", attributes: { latency: 700 } },
          { stream: "downstream", type: "bandwidth", attributes: { rate: 4 } },
          { stream: "downstream", type: "slicer", attributes: { average_size: 7, size_variation: 5, delay: 300 } },
        ] as const
        for (const way of ways) {
          const back = yield* hurt(way)
          assertServed(yield* answersOf(send(6)))
          yield* back
        }
        assert.strictEqual((yield* fleet.settled(alice)).used, 6 * ways.length * charge)
        for (const { estimated } of (yield* counted(fleet)).usage) assert.isFalse(estimated)
      }),
    180_000,
  )
})
