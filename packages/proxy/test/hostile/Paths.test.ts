/** Whatever is asked for, in whatever way: the answer is ours, in JSON, and says what there is. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { body, errorIn, head, refusal, say, unharmed } from "./Raw.ts"

const lines = (request: string, ...more: ReadonlyArray<string>) =>
  `${[request, "host: proxy", ...more].join("\r\n")}\r\n\r\n`

describe("a path or method that nothing answers to", () => {
  for (const request of [
    "GET /",
    "GET /v1",
    "GET /v1/",
    "GET /v1/%zz",
    "GET /v1/%ff",
    "GET /v1/%00",
    "GET /v1/../metrics",
    "GET /metrics",
    "GET /healthz",
    "GET /v1/models/a/b",
    "GET /v1/models%2fkimi-k2.6",
    "GET /v1/chat/completions",
    "PUT /v1/chat/completions",
    "DELETE /v1/models",
    "POST /v1/models",
    "POST /v1/responses",
    "POST /v1/files",
    "POST /v1/batches",
    "POST /v1/caching",
    "POST /anthropic/v1/messages",
    "GET /v1/users/me/balance",
    "POST /v1/tokenizers/estimate-token-count",
    "OPTIONS *",
    "OPTIONS /v1/chat/completions",
    "TRACE /v1/usage",
    "PROPFIND /v1",
    "CONNECT api.moonshot.cn:443",
    "GET http://api.moonshot.cn/v1/users/me/balance",
    "POST https://api.moonshot.cn/v1/files",
    "GET //api.moonshot.cn/v1/files",
    "GET nonsense",
    `GET /v1/models/${"a".repeat(5_000)}`,
    `GET /${"a/".repeat(5_000)}`,
  ]) {
    it.live(`(${request.slice(0, 60)}) gets 404 in JSON with what there is`, () =>
      unharmed((world, who) =>
        Effect.gen(function* () {
          const heard = yield* say(world, lines(`${request} HTTP/1.1`, `authorization: Bearer ${who.token}`), {
            enough: 1,
          })
          const { code, message } = heard.answers[0]?.status === 400 ? refusal(heard, 400) : refusal(heard, 404)
          assert.include(["unknown_url", "model_not_found", "malformed_request"], code)
          if (code === "unknown_url") {
            assert.include(message, "POST /v1/chat/completions, GET /v1/models, GET /v1/models/{id}, GET /v1/usage")
          }
          assert.isBelow(message.length, 400)
          assert.isUndefined(heard.answers[0]?.headers["access-control-allow-origin"])
        }),
      ),
    )
  }
  it.live("is told by HEAD as well, without a body", () =>
    unharmed((world) =>
      Effect.gen(function* () {
        for (const [path, status] of [
          ["/v1/nothing", "404"],
          ["/v1/models", "401"],
        ] as const) {
          const heard = yield* say(world, lines(`HEAD ${path} HTTP/1.1`), { quietMillis: 300 })
          assert.match(heard.rest, new RegExp(`^HTTP/1.1 ${status} `))
          assert.notInclude(heard.rest, "error")
        }
      }),
    ),
  )
  it.live("with a body that was not asked for is answered, and the connection goes on", () =>
    unharmed((world) =>
      Effect.gen(function* () {
        const request = `${lines("POST /v1/nothing HTTP/1.1", "content-length: 1000")}${"a".repeat(1_000)}`
        const heard = yield* say(world, request + request, { enough: 2 })
        assert.strictEqual(heard.answers.length, 2)
        for (const answer of heard.answers) errorIn(answer, 404)
      }),
    ),
  )
})

describe("a request that wants another protocol", () => {
  for (const upgrade of [
    [
      "connection: upgrade",
      "upgrade: websocket",
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-version: 13",
    ],
    ["connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"],
    ["connection: upgrade", "upgrade: TLS/1.3"],
  ]) {
    it.live(`(${upgrade[1]}) is served as if it had not asked`, () =>
      Effect.gen(function* () {
        yield* unharmed((world) =>
          Effect.gen(function* () {
            const heard = yield* say(world, lines("GET /v1/usage HTTP/1.1", ...upgrade), { enough: 1 })
            refusal(heard, 401)
          }),
        )
        yield* unharmed((world, who) =>
          Effect.gen(function* () {
            const text = body.replace("kimi-k2.6", "kimi-k3")
            const heard = yield* say(
              world,
              `${head(who.token, ...upgrade, `content-length: ${text.length}`)}\r\n${text}`,
              {
                enough: 1,
              },
            )
            assert.strictEqual(refusal(heard, 404).code, "model_not_found")
          }),
        )
      }),
    )
  }
})

describe("an expectation", () => {
  it.live("other than 100-continue gets 417 in JSON", () =>
    unharmed((world, who) =>
      Effect.gen(function* () {
        const heard = yield* say(
          world,
          `${head(who.token, "expect: magic", `content-length: ${body.length}`)}\r\n${body}`,
        )
        assert.strictEqual(refusal(heard, 417).code, "expectation_failed")
      }),
    ),
  )
  it.live("of 100-continue is met before the body is sent, but not for a body that is refused anyway", () =>
    unharmed(
      (world, who) =>
        Effect.gen(function* () {
          const asking = (token: string, bytes: number) =>
            `${head(token, "expect: 100-continue", `content-length: ${bytes}`)}\r\n`
          const text = body.replace("kimi-k2.6", "kimi-k3")
          const willing = yield* say(world, [asking(who.token, text.length), text], { pauseMillis: 200, enough: 1 })
          assert.deepStrictEqual(
            willing.answers.map((one) => one.status),
            [100, 404],
          )
          const tooLarge = yield* say(world, asking(who.token, 100_000))
          assert.strictEqual(refusal(tooLarge, 413).code, "request_too_large")
          const unknown = yield* say(world, asking("bth_x", 100))
          assert.strictEqual(refusal(unknown, 401).code, "invalid_api_key")
        }),
      { settings: { bodyBytes: 10_000 } },
    ),
  )
})

it.live("HTTP/1.0 is served, and its connection closed", () =>
  unharmed((world) =>
    Effect.gen(function* () {
      const heard = yield* say(world, "GET /v1/usage HTTP/1.0\r\n\r\n")
      refusal(heard, 401)
      assert.isTrue(heard.closed)
    }),
  ),
)

it.live("the absolute form of our own path is served, as HTTP wants it", () =>
  unharmed((world, who) =>
    Effect.gen(function* () {
      const request = lines("GET http://proxy/v1/models HTTP/1.1", `authorization: Bearer ${who.token}`)
      const heard = yield* say(world, request, { enough: 1 })
      assert.strictEqual(heard.answers[0]?.status, 200)
    }),
  ),
)
