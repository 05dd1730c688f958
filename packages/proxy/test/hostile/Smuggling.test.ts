/** Requests that two readers could cut in different places, and other things that are no HTTP: one clear answer, nothing run. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { body, head, refusal, say, unharmed } from "./Raw.ts"

const { length } = body
const hidden = (token: string) => `GET /v1/usage HTTP/1.1\r\nhost: proxy\r\nauthorization: Bearer ${token}\r\n\r\n`

const lengths: ReadonlyArray<readonly [name: string, request: (token: string) => string]> = [
  [
    "Content-Length and Transfer-Encoding",
    (token) => `${head(token, `content-length: ${length}`, "transfer-encoding: chunked")}\r\n0\r\n\r\n${hidden(token)}`,
  ],
  [
    "Transfer-Encoding and Content-Length, the other way round",
    (token) =>
      `${head(token, "transfer-encoding: chunked", "content-length: 4")}\r\n5c\r\n${hidden(token)}\r\n0\r\n\r\n`,
  ],
  [
    "two different Content-Lengths",
    (token) => `${head(token, "content-length: 0", `content-length: ${length}`)}\r\n${body}`,
  ],
  [
    "two equal Content-Lengths",
    (token) => `${head(token, `content-length: ${length}`, `content-length: ${length}`)}\r\n${body}`,
  ],
  ["a list of Content-Lengths", (token) => `${head(token, `content-length: ${length}, ${length}`)}\r\n${body}`],
  ["a signed Content-Length", (token) => `${head(token, `content-length: +${length}`)}\r\n${body}`],
  ["a negative Content-Length", (token) => `${head(token, "content-length: -1")}\r\n${body}`],
  ["a hexadecimal Content-Length", (token) => `${head(token, "content-length: 0x10")}\r\n${body}`],
  ["a Content-Length beyond all numbers", (token) => `${head(token, `content-length: ${"9".repeat(30)}`)}\r\n${body}`],
  ["an empty Content-Length", (token) => `${head(token, "content-length:")}\r\n${body}`],
  [
    "chunked that is not the last coding",
    (token) => `${head(token, "transfer-encoding: chunked, identity")}\r\n0\r\n\r\n`,
  ],
  [
    "chunked twice",
    (token) => `${head(token, "transfer-encoding: chunked", "transfer-encoding: chunked")}\r\n0\r\n\r\n`,
  ],
  ["another coding before chunked", (token) => `${head(token, "transfer-encoding: gzip, chunked")}\r\n0\r\n\r\n`],
  ["an unknown coding", (token) => `${head(token, "transfer-encoding: xchunked")}\r\n0\r\n\r\n`],
  ["chunked in quotes", (token) => `${head(token, 'transfer-encoding: "chunked"')}\r\n0\r\n\r\n`],
  ["a space before the colon", (token) => `${head(token, "transfer-encoding : chunked")}\r\n0\r\n\r\n`],
  ["a vertical tab before chunked", (token) => `${head(token, "transfer-encoding: \u000bchunked")}\r\n0\r\n\r\n`],
  [
    "chunked in HTTP/1.0",
    (token) => `${head(token, "transfer-encoding: chunked").replace("HTTP/1.1", "HTTP/1.0")}\r\n0\r\n\r\n`,
  ],
]

const others: ReadonlyArray<readonly [name: string, status: number, request: (token: string) => string]> = [
  [
    "a header folded onto a second line",
    400,
    (token) => `${head(token, "x-a: b", " c", `content-length: ${length}`)}\r\n${body}`,
  ],
  [
    "bare line feeds",
    400,
    (token) => `${head(token, `content-length: ${length}`)}\r\n`.replaceAll("\r\n", "\n") + body,
  ],
  ["a bare carriage return in a header", 400, (token) => `${head(token, "x-a: b\rtransfer-encoding: chunked")}\r\n`],
  ["a NUL in a header", 400, (token) => `${head(token, "x-a: b\u0000c")}\r\n`],
  ["a header without a name", 400, (token) => `${head(token, ": b")}\r\n`],
  ["a header without a colon", 400, (token) => `${head(token, "nonsense")}\r\n`],
  ["a space within a header's name", 400, (token) => `${head(token, "x a: b")}\r\n`],
  ["no Host", 400, (token) => `${head(token, "content-length: 0").replace("host: proxy\r\n", "")}\r\n`],
  ["two Hosts", 400, (token) => `${head(token, "host: other", "content-length: 0")}\r\n`],
  ["two Authorizations", 400, (token) => `${head(token, "Authorization: Bearer other", "content-length: 0")}\r\n`],
  ["a chunk's size that is none", 400, (token) => `${head(token, "transfer-encoding: chunked")}\r\nzz\r\n`],
  [
    "a chunk of a size beyond all numbers",
    400,
    (token) => `${head(token, "transfer-encoding: chunked")}\r\n${"f".repeat(17)}\r\n`,
  ],
  ["a signed chunk size", 400, (token) => `${head(token, "transfer-encoding: chunked")}\r\n-1\r\n\r\n`],
  [
    "a chunk that goes on beyond its size",
    400,
    (token) => `${head(token, "transfer-encoding: chunked")}\r\n1\r\nab\r\n0\r\n\r\n`,
  ],
  [
    "a chunk that ends in a bare line feed",
    400,
    (token) => `${head(token, "transfer-encoding: chunked")}\r\n2\r\n{}\n0\r\n\r\n`,
  ],
  [
    "chunk extensions without end",
    413,
    (token) => `${head(token, "transfer-encoding: chunked")}\r\n1;${"a=b;".repeat(10_000)}\r\na\r\n0\r\n\r\n`,
  ],
  ["a method that HTTP does not know", 400, () => "BREW / HTTP/1.1\r\nhost: proxy\r\n\r\n"],
  ["another protocol", 400, () => "SSH-2.0-OpenSSH_9.9\r\n"],
  ["a TLS greeting", 400, () => "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003"],
  ["HTTP/2's preface", 400, () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  [
    "HTTP/2.0 in the words of HTTP/1",
    505,
    (token) => `${head(token, "content-length: 0").replace("HTTP/1.1", "HTTP/2.0")}\r\n`,
  ],
  ["HTTP/9.9", 400, (token) => `${head(token, "content-length: 0").replace("HTTP/1.1", "HTTP/9.9")}\r\n`],
  ["no version", 505, () => "GET /v1/models\r\n\r\n"],
  ["a space in the path", 400, () => "GET /v1/ models HTTP/1.1\r\nhost: proxy\r\n\r\n"],
]

describe("a request whose length can be read in two ways", () => {
  for (const [name, request] of lengths) {
    it.live(`(${name}) gets one 400 and a closed connection; what hides in it is not run and nothing is metered`, () =>
      unharmed((world, who) =>
        Effect.gen(function* () {
          const heard = yield* say(world, request(who.token))
          assert.strictEqual(refusal(heard, 400).code, "malformed_request")
          assert.isTrue(heard.closed)
          assert.strictEqual(heard.answers[0]?.headers["connection"]?.toLowerCase(), "close")
        }),
      ),
    )
  }
})

describe("what is no HTTP", () => {
  for (const [name, status, request] of others) {
    it.live(`(${name}) gets ${status} in JSON and a closed connection, and nothing is metered`, () =>
      unharmed((world, who) =>
        Effect.gen(function* () {
          const heard = yield* say(world, request(who.token))
          refusal(heard, status)
          assert.isTrue(heard.closed)
          assert.notInclude(heard.answers[0]?.text ?? "", who.token)
        }),
      ),
    )
  }
})
