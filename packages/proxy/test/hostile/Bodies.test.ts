/** Bodies that are too large, broken off, in the wrong form, or meant to keep the process busy. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as World from "../World.ts"
import { body, good, head, refusal, say, unharmed } from "./Raw.ts"

const chunked = (token: string, chunks: ReadonlyArray<string | Uint8Array>) => [
  `${head(token, "transfer-encoding: chunked")}\r\n`,
  ...chunks.flatMap((one) => [`${one.length.toString(16)}\r\n`, one, "\r\n"]),
  "0\r\n\r\n",
]
const padded = (bytes: number) => body.slice(0, -1) + " ".repeat(bytes - body.length) + body.slice(-1)

const small = { settings: { bodyBytes: 10_000 } }

describe("a body beyond the limit", () => {
  it.live("gets 413 in JSON, by its length or by its bytes, and one at the limit is served", () =>
    unharmed(
      (world, who) =>
        Effect.gen(function* () {
          const wrong = padded(10_001).replace("kimi-k2.6", "kimi-k3..")
          for (const said of [good(who.token, wrong), chunked(who.token, [wrong])]) {
            const heard = yield* say(world, said, { enough: 1 })
            assert.strictEqual(refusal(heard, 413).code, "request_too_large")
            assert.include(heard.answers[0]?.text ?? "", "10000 bytes")
          }
          for (const said of [
            good(who.token, wrong.replace("  ", " ")),
            chunked(who.token, [wrong.replace("  ", " ")]),
          ]) {
            assert.strictEqual(refusal(yield* say(world, said, { enough: 1 }), 404).code, "model_not_found")
          }
        }),
      small,
    ),
  )

  for (const [name, pieces] of [
    ["of known length", (token: string) => [`${head(token, "content-length: 16000000")}\r\n`, "a".repeat(16_000_000)]],
    [
      "in chunks",
      (token: string) =>
        chunked(
          token,
          Array.from({ length: 160 }, () => "a".repeat(100_000)),
        ),
    ],
  ] as const) {
    it.live(`${name} can be read by a client that sends all of it before it looks`, () =>
      unharmed(
        (world, who) =>
          Effect.gen(function* () {
            // More than sockets hold: without anybody to take it the client would be stuck, and then be cut off.
            const heard = yield* say(world, pieces(who.token), { deaf: true })
            assert.strictEqual(refusal(heard, 413).code, "request_too_large")
            assert.isUndefined(heard.error)
          }),
        { settings: { bodyBytes: 15_000_000 } },
      ),
    )
  }

  it.live("gets 401 that can be read as well, if the token is bad", () =>
    unharmed(
      (world) =>
        Effect.gen(function* () {
          const said = [`${head("bth_x", "content-length: 16000000")}\r\n`, "a".repeat(16_000_000)]
          const heard = yield* say(world, said, { enough: 1, deaf: true })
          assert.strictEqual(refusal(heard, 401).code, "invalid_api_key")
          assert.isUndefined(heard.error)
        }),
      { settings: { bodyBytes: 15_000_000 } },
    ),
  )

  it.live("that never ends is cut off", () =>
    unharmed(
      (world, who) =>
        Effect.gen(function* () {
          const endless = Array.from({ length: 20_000 }, () => `3e8\r\n${"a".repeat(1_000)}\r\n`)
          const heard = yield* say(world, [`${head(who.token, "transfer-encoding: chunked")}\r\n`, ...endless])
          assert.strictEqual(heard.answers[0]?.status, 413)
          assert.isTrue(heard.closed)
        }),
      small,
    ),
  )
})

describe("a body that breaks off", () => {
  // Room for 25 requests of one customer: what is not given back would soon be missed.
  it.live("leaves nothing behind: no hold, no call, no room taken by a fiber that waits for the rest", () =>
    unharmed(
      (world, who) =>
        Effect.gen(function* () {
          for (const said of [
            `${head(who.token, "content-length: 1000")}\r\n{"model"`,
            `${head(who.token, "transfer-encoding: chunked")}\r\n8\r\n{"model"\r\n`,
            `${head(who.token, "transfer-encoding: chunked")}\r\n8\r\n{"mo`,
            head(who.token),
          ]) {
            yield* Effect.all(
              Array.from({ length: 20 }, () => say(world, said, { quietMillis: 30 })),
              { concurrency: "unbounded" },
            )
          }
          yield* Effect.sleep(100)
        }),
      { settings: { intakeBytes: 4 * 25 * 16 * 1024 } },
    ),
  )
  it.live("or goes wrong after its first bytes leaves nothing behind either", () =>
    unharmed(
      (world, who) =>
        Effect.gen(function* () {
          for (let index = 0; index < 60; index++) {
            const said = `${head(who.token, "transfer-encoding: chunked")}\r\n1\r\n{\r\nzz\r\n`
            assert.strictEqual(refusal(yield* say(world, said), 400).code, "malformed_request")
          }
          yield* Effect.sleep(100)
        }),
      { settings: { intakeBytes: 4 * 25 * 16 * 1024 } },
    ),
  )
})

describe("a body of the wrong form", () => {
  const deep = (depth: number) =>
    `{"model":"a","messages":[{"role":"user"}],"x":${"[".repeat(depth)}${"]".repeat(depth)}}`
  for (const [name, text, words] of [
    ["nothing", "", /not a JSON object/],
    ["no JSON", "hello", /not a JSON object/],
    ["an array", "[]", /not a JSON object/],
    ["half an object", '{"model":', /not a JSON object/],
    ["two objects", `${body}${body}`, /not a JSON object/],
    ["a form", "model=kimi-k2.6&messages=x", /not a JSON object/],
    ["a byte order mark", Buffer.from(`\ufeff${body}`), /not a JSON object/],
    ["UTF-16", Buffer.from(body, "utf16le"), /not a JSON object/],
    ["Latin-1", Buffer.from('{"model":"é"}', "latin1"), /not valid UTF-8/],
    ["an overlong encoding", Buffer.from([0x7b, 0xc0, 0xa2, 0x7d]), /not valid UTF-8/],
    ["a surrogate in UTF-8", Buffer.from([0x7b, 0xed, 0xa0, 0x80, 0x7d]), /not valid UTF-8/],
    ["a character cut in two", Buffer.from('{"model":"é').subarray(0, -1), /not valid UTF-8/],
    ["129 levels", deep(128), /nested at most 128 deep/],
    ["a million levels", deep(1_000_000), /nested at most 128 deep/],
    ["a million open brackets", "[".repeat(1_000_000), /not a JSON object/],
    ["a million open objects", '{"a":'.repeat(500_000), /nested at most 128 deep/],
    [
      "a million messages",
      `{"model":"a","messages":[${'{"role":"user"},'.repeat(200_000)}{}]}`,
      /At most 4096 messages/,
    ],
    [
      "a million members",
      `{${Array.from({ length: 200_000 }, (_, i) => `"${i}":1`).join(",")}}`,
      /at most 256 members/,
    ],
    ["a million tools", `{"model":"a","tools":[${"{},".repeat(1_000_000)}{}]}`, /must have one `function`/],
    ["a number of a million digits", `{"model":"a","max_tokens":${"1".repeat(1_000_000)}}`, /too long/],
  ] as const) {
    it.live(`(${name}) gets 400 that says what is wrong`, () =>
      unharmed((world, who) =>
        Effect.gen(function* () {
          const bytes = Buffer.from(text)
          const heard = yield* say(world, [`${head(who.token, `content-length: ${bytes.length}`)}\r\n`, bytes], {
            enough: 1,
          })
          assert.match(refusal(heard, 400).message, words)
        }),
      ),
    )
  }
  it.live("does not keep others waiting: each costs well under a tenth of a second", () =>
    unharmed((world, who) =>
      Effect.gen(function* () {
        const worst = `{"model":"a","messages":[${'{"role":"user","content":"\\u00e9\\n"},'.repeat(4_000)}{"role":"user"}],"x":[${"{},".repeat(1_200_000)}1]}`
        assert.isAbove(worst.length, 3_500_000)
        const before = process.cpuUsage()
        for (let index = 0; index < 10; index++) {
          refusal(
            yield* say(world, [`${head(who.token, `content-length: ${worst.length}`)}\r\n`, worst], { enough: 1 }),
            404,
          )
        }
        const { user, system } = process.cpuUsage(before)
        // Client and server together, and room for a slow machine; a fault here would be seconds.
        assert.isBelow((user + system) / 1_000 / 10, 400)
      }),
    ),
  )
})

describe("a body in a compressed form", () => {
  it.live("gets 415, whichever it is", () =>
    unharmed((world, who) =>
      Effect.gen(function* () {
        for (const coding of ["gzip", "br", "zstd", "deflate, gzip", "identity, gzip"]) {
          const said = `${head(who.token, `content-encoding: ${coding}`, "content-length: 4")}\r\nabcd`
          assert.strictEqual(refusal(yield* say(world, said, { enough: 1 }), 415).code, "unsupported_encoding")
        }
      }),
    ),
  )
})

describe("many bodies at once", () => {
  it.live(
    "of one customer fill a quarter of the room: the next gets 429, another customer is served, and it passes",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("alice")
        const bob = World.customer("bob")
        const world = yield* World.start({
          customers: [alice, bob],
          settings: { bodyBytes: 1_000_000, intakeBytes: 4_000_000 },
        })
        // Each holds a hundred thousand bytes and does not go on.
        const waiting = yield* Effect.forEach(Array.from({ length: 8 }), () =>
          Effect.forkChild(
            say(world, [`${head(alice.token, "content-length: 200000")}\r\n`, "a".repeat(100_000)], {
              quietMillis: 1_500,
            }),
          ),
        )
        yield* Effect.sleep(300)
        const large = `${head(alice.token, "content-length: 150000")}\r\n${"a".repeat(150_000)}`
        const refused = yield* say(world, large, { enough: 1 })
        assert.strictEqual(refusal(refused, 429).code, "rate_limit_exceeded")
        assert.strictEqual(refused.answers[0]?.headers["retry-after"], "2")
        assert.strictEqual((yield* World.chat(world, bob.token)).status, 200)
        assert.strictEqual(waiting.length, 8)
        yield* Effect.sleep(1_800)
        assert.strictEqual(
          (yield* World.chat(world, alice.token, World.chatBody({ user: "a".repeat(150_000) }))).status,
          200,
        )
        assert.strictEqual(world.stub.received.length, 2)
      }),
  )
  it.live("of all customers fill the room: the next gets 503, whoever sends it", () =>
    Effect.gen(function* () {
      const customers = Array.from({ length: 5 }, (_, index) => World.customer(`customer-${index}`))
      const world = yield* World.start({ customers, settings: { bodyBytes: 1_000_000, intakeBytes: 4_000_000 } })
      for (const one of customers.slice(0, 4)) {
        yield* Effect.forkChild(
          say(world, [`${head(one.token, "content-length: 990000")}\r\n`, "a".repeat(960_000)], { quietMillis: 1_500 }),
        )
      }
      yield* Effect.sleep(300)
      const heard = yield* say(world, good(customers[4]?.token ?? "", padded(200_000)), { enough: 1 })
      assert.strictEqual(refusal(heard, 503).code, "overloaded")
      yield* Effect.sleep(1_800)
      assert.strictEqual((yield* World.chat(world, customers[4]?.token ?? "")).status, 200)
    }),
  )
})
