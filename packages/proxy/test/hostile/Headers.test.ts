/** Headers in floods and in drips, and requests that never come to an end. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { body, good, head, refusal, say, unharmed } from "./Raw.ts"

const many = (count: number, text = "1") => Array.from({ length: count }, (_, index) => `x-${index}: ${text}`)

describe("a flood of headers", () => {
  for (const [name, lines] of [
    ["one of 20,000 bytes", [`x-a: ${"a".repeat(20_000)}`]],
    ["one with a name of 20,000 bytes", [`${"a".repeat(20_000)}: b`]],
    ["a thousand of 100 bytes", many(1_000, "a".repeat(100))],
    ["a hundred thousand", many(100_000)],
    ["101 small ones", many(98)],
    ["2,000 empty ones", Array.from({ length: 2_000 }, () => "a:")],
  ] as const) {
    it.live(`(${name}) gets 431 in JSON and a closed connection`, () =>
      unharmed((world, who) =>
        Effect.gen(function* () {
          const heard = yield* say(world, `${head(who.token, ...lines, `content-length: ${body.length}`)}\r\n${body}`)
          assert.strictEqual(refusal(heard, 431).code, "headers_too_large")
          assert.isTrue(heard.closed)
        }),
      ),
    )
  }
  it.live("of a path too long gets 431 as well", () =>
    unharmed((world) =>
      Effect.gen(function* () {
        const heard = yield* say(world, `GET /${"a".repeat(20_000)} HTTP/1.1\r\nhost: proxy\r\n\r\n`)
        assert.strictEqual(refusal(heard, 431).code, "headers_too_large")
      }),
    ),
  )
  it.live("that is none is served: 99 headers, 14,000 bytes", () =>
    unharmed((world) =>
      Effect.gen(function* () {
        const lines = ["GET /v1/models HTTP/1.1", "host: proxy", ...many(98, "a".repeat(140))]
        const heard = yield* say(world, `${lines.join("\r\n")}\r\n\r\n`, { enough: 1 })
        assert.strictEqual(refusal(heard, 401).code, "invalid_api_key")
      }),
    ),
  )
})

/** Faster than in production, so that a test need not wait for it. */
const hurried = { server: { headerMillis: 600, requestMillis: 1_200 } }

describe("a request that comes in drips", () => {
  it.live("or not at all gets 408 in JSON once its time for headers is over, however busily it drips", () =>
    unharmed(
      (world, who) =>
        Effect.gen(function* () {
          const silent = say(world, [])
          const stuck = say(world, head(who.token))
          const dripping = say(world, [...head(who.token, ...many(50))], { pauseMillis: 20 })
          for (const heard of yield* Effect.all([silent, stuck, dripping], { concurrency: "unbounded" })) {
            assert.strictEqual(refusal(heard, 408).code, "request_timeout")
            assert.isTrue(heard.closed)
          }
        }),
      hurried,
    ),
  )
  it.live("gets 408 in JSON once its time for the whole is over, in a body of known length or in chunks", () =>
    unharmed(
      (world, who) =>
        Effect.gen(function* () {
          const drips = Array.from({ length: 100 }, () => " ")
          const known = say(world, [`${head(who.token, "content-length: 1000")}\r\n`, ...drips], { pauseMillis: 50 })
          const chunks = drips.map((one) => `1\r\n${one}\r\n`)
          const chunked = say(world, [`${head(who.token, "transfer-encoding: chunked")}\r\n`, ...chunks], {
            pauseMillis: 50,
          })
          const silent = say(world, `${head(who.token, "content-length: 1000")}\r\n{`)
          for (const heard of yield* Effect.all([known, chunked, silent], { concurrency: "unbounded" })) {
            assert.strictEqual(refusal(heard, 408).code, "request_timeout")
            assert.isTrue(heard.closed)
          }
        }),
      hurried,
    ),
  )
  it.live("that comes just in time is served", () =>
    unharmed((world) =>
      Effect.gen(function* () {
        const text = "GET /v1/models HTTP/1.1\r\nhost: proxy\r\n\r\n"
        const heard = yield* say(world, [...text], { pauseMillis: 2, enough: 1 })
        assert.strictEqual(refusal(heard, 401).code, "invalid_api_key")
      }),
    ),
  )
})

describe("connections", () => {
  it.live("beyond a quarter of all from one address are closed unheard, while another address is served", () =>
    unharmed(
      (world, who) =>
        Effect.gen(function* () {
          const held = yield* Effect.forEach(
            Array.from({ length: 5 }),
            () => Effect.forkScoped(say(world, "GET /", { localAddress: "127.0.0.2", quietMillis: 2_000 })),
            { concurrency: "unbounded" },
          )
          assert.strictEqual(held.length, 5)
          yield* Effect.sleep(200)
          const dropped = yield* say(world, good(who.token), { localAddress: "127.0.0.2", quietMillis: 500 })
          assert.deepStrictEqual(dropped.answers, [])
          assert.isTrue(dropped.closed)
          const served = yield* say(world, "GET /v1/models HTTP/1.1\r\nhost: proxy\r\n\r\n", {
            localAddress: "127.0.0.3",
            enough: 1,
          })
          refusal(served, 401)
        }),
      { server: { connections: 20 } },
    ),
  )
})
