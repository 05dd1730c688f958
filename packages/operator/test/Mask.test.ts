import { randomBytes } from "node:crypto"
import { mint } from "@berth/domain/ProxyToken"
import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as FastCheck from "fast-check"
import { linesOf, mask } from "../src/Mask.ts"

/** As control makes them: the proxy's, Telegram's and the gateway's. */
const mintAll = (seed: Uint8Array) => {
  const bytes = (from: number) => Uint8Array.from(seed.slice(from, from + 32))
  return {
    proxyToken: Redacted.value(mint(bytes(0))),
    botToken: `${10_000_000 + (seed[0] ?? 0)}:${Buffer.from(bytes(32)).toString("base64url").slice(0, 35)}`,
    gatewayToken: Buffer.from(bytes(64)).toString("hex"),
  }
}
const seeds = FastCheck.uint8Array({ minLength: 96, maxLength: 96 })
const own = mintAll(randomBytes(96))
const known = Object.values(own)

/** So many characters in a row tell something of a secret. */
const telling = 8
const windows = (value: string) =>
  Array.from({ length: value.length - telling + 1 }, (_, at) => value.slice(at, at + telling))

/** Whether a text holds a piece of the value: plainly, backwards, in hex, or in base64 at any place. */
const tells = (text: string, value: string): boolean => {
  const read = (run: string, skip: number) =>
    Buffer.from(run.slice(skip).replaceAll("-", "+").replaceAll("_", "/"), "base64").toString("latin1")
  const readings = [
    text,
    [...text].reverse().join(""),
    ...(text.match(/(?:[0-9a-f]{2}){8,}/gi) ?? []).map((run) => Buffer.from(run, "hex").toString("latin1")),
    ...(text.match(/[A-Za-z0-9+/_-]{12,}/g) ?? []).flatMap((run) => [0, 1, 2, 3].map((skip) => read(run, skip))),
  ]
  return windows(value).some((piece) => readings.some((reading) => reading.includes(piece)))
}

/** The ways in which programs write a value down. */
const writings: ReadonlyArray<(value: string, before: string, after: string) => string> = [
  (value) => value,
  (value, before, after) => `${before}${value}${after}`,
  (value) => `Authorization: Bearer ${value}`,
  (value) => `https://api.telegram.org/bot${value}/getMe`,
  (value) => `https://x.test/?key=${encodeURIComponent(value)}&y=1`,
  (value) => JSON.stringify({ env: { TOKEN: value } }),
  (value) => JSON.stringify(JSON.stringify({ token: value })),
  (value, before, after) => Buffer.from(`${before}${value}${after}`).toString("base64"),
  (value, before, after) => Buffer.from(`${before}${value}${after}`).toString("base64url"),
  (value) => Buffer.from(value).toString("hex"),
  (value) => Buffer.from(value).toString("hex").toUpperCase(),
  (value) => [...value].reverse().join(""),
  // In colours, and with bytes in it that nobody sees.
  (value) => `\u001B[31m${value.slice(0, 9)}\u001B[0m${value.slice(9)}`,
  (value) => `${value.slice(0, 5)}\u200B${value.slice(5, 11)}\u0000${value.slice(11)}\r`,
]

const words = FastCheck.string({ unit: "grapheme-ascii", maxLength: 12 }).filter((text) => !/[\n\r]/.test(text))
const line = FastCheck.record({
  before: words,
  after: words,
  which: FastCheck.constantFrom("proxyToken", "botToken", "gatewayToken", "none" as const),
  how: FastCheck.nat({ max: writings.length - 1 }),
})

describe("the mask", () => {
  it("lets no secret of the agent's through, however it is written", () => {
    FastCheck.assert(
      FastCheck.property(seeds, FastCheck.array(line, { maxLength: 8 }), (seed, lines) => {
        const secrets = mintAll(seed)
        const text = lines
          .map(({ before, after, which, how }) =>
            which === "none" ? before + after : `${before} ${writings[how]?.(secrets[which], before, after)} ${after}`,
          )
          .join("\n")
        const masked = mask(text, Object.values(secrets))
        for (const value of Object.values(secrets)) assert.isFalse(tells(masked, value), masked)
        assert.strictEqual(mask(masked, Object.values(secrets)), masked, "masking twice changes nothing")
      }),
      { numRuns: 400 },
    )
  })

  it("lets no piece of one through where the log begins or ends in the midst of it", () => {
    FastCheck.assert(
      FastCheck.property(
        seeds,
        FastCheck.array(FastCheck.constantFrom("proxyToken", "botToken", "gatewayToken", "none" as const), {
          minLength: 3,
          maxLength: 9,
        }),
        FastCheck.nat(),
        FastCheck.nat(),
        (seed, which, from, to) => {
          const secrets = mintAll(seed)
          const lines = which.map((one) => (one === "none" ? "a line" : `is ${secrets[one]} it`))
          const whole = lines.map((text) => `2026-11-30T12:00:00.000000001Z ${text}\n`).join("")
          const start = from % whole.length
          const raw = whole.slice(start, start + 1 + (to % (whole.length - start)))
          const complete = raw.split("\n").length - 1
          const shown = linesOf(raw, start === 0 ? complete : Math.max(0, complete - 1), Object.values(secrets))
          const text = shown.map((one) => one.text).join("\n")
          for (const value of Object.values(secrets)) assert.isFalse(tells(text, value), text)
        },
      ),
      { numRuns: 400 },
    )
  })

  it("takes out what looks like a secret although nobody told of it", () => {
    const others = mintAll(randomBytes(96))
    for (const [text, gone] of [
      [`old token ${others.proxyToken}`, others.proxyToken],
      [`bot${others.botToken}/getUpdates`, others.botToken],
      ["key sk-proj-abcdefghijklmnop0123", "abcdefghijklmnop0123"],
      ["ghp_abcdefghijklmnopqrst0123", "abcdefghijklmnopqrst0123"],
      ['{"password": "hunter2-hunter2"}', "hunter2-hunter2"],
      ["API_KEY=zzzzzzzzzzzz next", "zzzzzzzzzzzz"],
      ["authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"],
      ["-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\nMIIEdef\n-----END RSA PRIVATE KEY-----", "MIIE"],
      ["MIIEabc\nMIIEdef\n-----END PRIVATE KEY-----\nafter", "MIIE"],
      ["before\n-----BEGIN PRIVATE KEY-----\nMIIEabc", "MIIE"],
      ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIi"],
    ] as const)
      assert.notInclude(mask(text, []), gone, text)
  })

  it("is done at once, whatever an agent fills its log with", () => {
    for (const unit of [
      "eyJ",
      "eyJaaaaaaaa.",
      "1234567",
      "12345678:",
      "-----BEGIN ",
      "-----END ",
      "token ",
      "sk-",
      "bth_",
    ]) {
      const began = performance.now()
      mask(unit.repeat(1_000_000 / unit.length), known)
      assert.isBelow(performance.now() - began, 5_000, unit)
    }
  })

  it("leaves what OpenClaw writes readable", () => {
    for (const text of [
      "[telegram] [default] starting provider (@ada_bot)",
      '[secrets] [SECRETS_GATEWAY_AUTH_SURFACE] gateway.auth.token is active. gateway.auth.mode is "token".',
      "agent model: berth/kimi-k2.6 (thinking=off, fast=off)",
      "used tokens: 1234567 of 5000000",
      "image sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
      "[gateway] http server listening (2 plugins: memory-core, telegram; 10.6s)",
    ])
      assert.strictEqual(mask(text, known), text)
  })
})

describe("the lines of a log", () => {
  const stamp = "2026-11-30T12:00:00.123456789Z"

  it("bear their times and keep their order", () => {
    assert.deepStrictEqual(linesOf(`${stamp} one\n${stamp} two\n`, 5, []), [
      { at: Date.parse("2026-11-30T12:00:00.123Z"), text: "one" },
      { at: Date.parse("2026-11-30T12:00:00.123Z"), text: "two" },
    ])
    assert.deepStrictEqual(linesOf("no time\n", 5, []), [{ at: null, text: "no time" }])
    assert.deepStrictEqual(linesOf("", 5, []), [])
  })

  it("are no more than wanted, the newest, and none that is still being written", () => {
    const raw = Array.from({ length: 6 }, (_, place) => `${stamp} line ${place}\n`).join("")
    assert.deepStrictEqual(
      linesOf(`${raw}${stamp} half of a`, 3, []).map(({ text }) => text),
      ["line 3", "line 4", "line 5"],
    )
  })

  it("begin with none that may be the rest of a longer one, which a node counts by its pieces", () => {
    const rest = `${stamp} ${own.gatewayToken.slice(20)} and so on\n`
    const long = `${stamp} ${"x".repeat(2 * 16_384)}\n`
    for (const [raw, wanted] of [
      [rest + long.repeat(50), 150],
      [rest + long.repeat(8), 500],
    ] as const)
      assert.notInclude(linesOf(raw, wanted, known)[0]?.text, "and so on")
    assert.deepStrictEqual(
      linesOf(rest + long.repeat(1), 100, []).map(({ text }) => text.length),
      [own.gatewayToken.length - 20 + " and so on".length, 2_000],
      "of a short log the first line is where it begins",
    )
  })

  it("are bounded, each and together", () => {
    const [long] = linesOf(`${stamp} ${"x".repeat(50_000)}\n`, 50, [])
    assert.strictEqual(long?.text.length, 2_000)
    const many = linesOf(`${stamp} ${"y".repeat(1_500)}\n`.repeat(500), 500, [])
    assert.isAtMost(many.length, 171)
    assert.isAtLeast(many.length, 165)
  })
})
