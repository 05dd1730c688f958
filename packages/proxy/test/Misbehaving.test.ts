/**
 * An upstream that misbehaves in every way that we know of, and what comes of it: what the client gets, how often the
 * upstream was asked, what is charged, exactly or flagged as an estimate, and that no hold, place or connection is left.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { errorIn, face, type Options, type Seen } from "./Ordeal.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const counts = { prompt: 300, completion: 10 }
const usage = Stub.usageJson(counts)
const words = (count: number, word = Stub.word) => Array.from({ length: count }, (_, index) => word(index))
const jsonType = { "content-type": "application/json" }

interface Expected {
  readonly name: string
  readonly behaviour: Stub.Behaviour
  readonly options?: Options
  /** Whole by default, with status 200. */
  readonly status?: number
  readonly torn?: boolean
  readonly tries?: number
  /** What is charged; `estimate`: something, flagged as such. */
  readonly charge: number | "estimate" | "nothing"
  readonly also?: (seen: Seen) => void
}

const check = ({ name, behaviour, options, status = 200, torn = false, tries = 1, charge, also }: Expected) =>
  it.live(
    name,
    () =>
      Effect.gen(function* () {
        const seen = yield* face(behaviour, options)
        assert.strictEqual(seen.status, status)
        assert.strictEqual(seen.torn, torn)
        assert.strictEqual(seen.tries, tries)
        if (status !== 200)
          assert.strictEqual(errorIn(seen).code, status === 424 ? "upstream_refused" : "upstream_unavailable")
        if (charge === "nothing") assert.deepStrictEqual([seen.used, seen.events], [0, []])
        else {
          assert.strictEqual(seen.events.length, 1)
          assert.deepInclude(seen.events[0], { _tag: "usage", charge: seen.used, estimated: charge === "estimate" })
          if (charge === "estimate") assert.isAbove(seen.used, 0)
          else assert.strictEqual(seen.used, charge)
        }
        also?.(seen)
      }),
    30_000,
  )

const exact = counts.prompt + counts.completion
const good = Stub.streaming(counts)
const goodText = [...words(5), Stub.counted.inChoice(usage), Stub.done].join("")
const shows = (text: string) => (seen: Seen) => assert.strictEqual(seen.text, text)

describe("an upstream that says nothing", () => {
  check({
    name: "before its answer is given up, and not asked again: it may have been at work",
    behaviour: Stub.silent,
    options: { settings: { firstByte: Duration.millis(600) } },
    status: 503,
    charge: "nothing",
  })
  check({
    name: "in the midst of its answer is given up, and the client sees that it is not whole",
    behaviour: Stub.stalling(4),
    options: { settings: { silence: Duration.millis(600) } },
    torn: true,
    charge: "estimate",
    also: shows(words(4).join("")),
  })
  check({
    name: "after it told who speaks is given up, and not asked again",
    behaviour: Stub.sending([Stub.role], { end: "stall" }),
    options: { settings: { silence: Duration.millis(600) } },
    status: 503,
    charge: "nothing",
  })
  check({
    name: "in the midst of an error is read no further after a moment, and taken at what it said",
    behaviour: Stub.sending(['{"error":{"type":"exceeded_current_quota_error"'], {
      status: 429,
      headers: jsonType,
      end: "stall",
    }),
    status: 424,
    charge: "nothing",
  })
})

describe("a connection that breaks", () => {
  const never = [
    ["reset", Stub.resettingAtOnce],
    ["closed", Stub.closing],
  ] as const
  for (const [how, behaviour] of never) {
    check({
      name: `${how} without an answer is tried again, in vain`,
      behaviour,
      status: 503,
      tries: 3,
      charge: "nothing",
    })
    check({
      name: `${how} without an answer, once, is not seen by the client`,
      behaviour: Stub.inTurn(behaviour, good),
      tries: 2,
      charge: exact,
      also: shows(goodText),
    })
  }
  check({
    name: "after it was told who speaks, and nothing else, is not seen by the client",
    behaviour: Stub.inTurn(Stub.sending([": hello\n\n", Stub.role], { end: "reset" }), good),
    tries: 2,
    charge: exact,
    also: shows(goodText),
  })
  check({
    name: "in the midst of a stream is charged for what came",
    behaviour: Stub.resetting(8),
    torn: true,
    charge: "estimate",
    also: shows(words(8).join("")),
  })
  check({
    name: "in the midst of a stream that had begun to count is charged for that prompt, flagged",
    behaviour: Stub.sending([...words(3), Stub.counted.withText(Stub.usageJson({ prompt: 77, completion: 4 }))], {
      end: "reset",
    }),
    torn: true,
    charge: "estimate",
    also: ({ used }) => assert.isTrue(used >= 81 && used < 77 + 40),
  })
  check({
    name: "after the counts is charged by them",
    behaviour: Stub.sending([...words(2), Stub.counted.inChoice(usage)], { end: "reset" }),
    torn: true,
    charge: exact,
  })
  check({
    name: "in the midst of an answer in one piece costs nothing, and is not asked for again: it was made, and would be twice",
    behaviour: Stub.truncated(Stub.answer(counts, "x".repeat(5_000)), 3_000),
    options: { body: { stream: false } },
    status: 503,
    charge: "nothing",
  })
  check({
    name: "in the midst of a long answer in one piece is seen by the client, and charged for what came",
    behaviour: Stub.truncated(Stub.answer(counts, "x".repeat(900_000)), 600_000),
    options: { body: { stream: false } },
    torn: true,
    charge: "estimate",
    also: ({ used }) => assert.isAtMost(used, 20_000),
  })
  it.live("because nobody listens there is 503 after some tries, and costs nothing", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice], settings: { upstreamSlots: 1 } })
      world.stub.stop()
      for (let index = 0; index < 2; index++) {
        const answer = yield* World.chat(world, alice.token)
        assert.strictEqual(answer.status, 503)
        assert.strictEqual(answer.json().error.code, "upstream_unavailable")
        assert.strictEqual(answer.headers.get("retry-after"), "2")
      }
      assert.strictEqual((yield* world.settled(alice)).used, 0)
    }),
  )
})

describe("a stream with an odd end", () => {
  check({
    name: "without [DONE] is passed on as it is and counted",
    behaviour: Stub.sending([...words(3), Stub.counted.inChoice(usage)]),
    charge: exact,
    also: ({ text }) => assert.notInclude(text, "[DONE]"),
  })
  check({
    name: "without a reason to finish, counts or [DONE] is passed on as it is and estimated",
    behaviour: Stub.sending(words(3)),
    charge: "estimate",
    also: shows(words(3).join("")),
  })
  check({
    name: "without a blank line behind the last event is passed on and counted",
    behaviour: Stub.sending([...words(2), Stub.counted.inChoice(usage).trimEnd()]),
    charge: exact,
  })
  check({
    name: "before anything has come is tried again",
    behaviour: Stub.inTurn(Stub.sending([]), Stub.sending([Stub.role, Stub.done]), good),
    tries: 3,
    charge: exact,
    also: shows(goodText),
  })
})

describe("counts", () => {
  const body = { stream_options: { include_usage: true } }
  const counted: ReadonlyArray<readonly [name: string, pieces: ReadonlyArray<string>, charge: number | "estimate"]> = [
    ["twice, as K3 sends them, are taken once", [...words(2), Stub.finish(counts)], exact],
    ["only with the choice are read", [...words(2), Stub.counted.inChoice(usage), Stub.done], exact],
    ["only at the top are read", [...words(2), Stub.finished, Stub.counted.onTop(usage), Stub.done], exact],
    ["behind chunks that name none are read", [...words(9, Stub.wordWithNull), Stub.finish(counts)], exact],
    [
      "early and again, larger, at the end are taken from the end",
      [Stub.counted.withText(Stub.usageJson({ prompt: 300, completion: 3 })), ...words(2), Stub.finish(counts)],
      exact,
    ],
    ["behind the end are read", [...words(2), Stub.finished, Stub.done, Stub.counted.onTop(usage)], exact],
    [
      "with cached tokens in either spelling are charged at a sixth of those",
      [
        ...words(2),
        Stub.counted.inChoice({ prompt_tokens: 300, completion_tokens: 10, cached_tokens: 60 }),
        Stub.counted.onTop({
          prompt_tokens: 300,
          completion_tokens: 10,
          prompt_tokens_details: { cached_tokens: 60 },
        }),
        Stub.done,
      ],
      240 + 10 + 10,
    ],
    [
      "below nothing are none",
      [...words(2), Stub.counted.onTop({ prompt_tokens: -300, completion_tokens: 10 }), Stub.done],
      "estimate",
    ],
    [
      "beyond what any model can read are none",
      [...words(2), Stub.counted.onTop({ prompt_tokens: 1e12, completion_tokens: 10 }), Stub.done],
      "estimate",
    ],
    [
      "beyond what any model can write are none",
      [...words(2), Stub.counted.onTop({ prompt_tokens: 10, completion_tokens: 1e9 }), Stub.done],
      "estimate",
    ],
  ]
  for (const [name, pieces, charge] of counted) {
    check({
      name,
      behaviour: Stub.sending(pieces),
      options: { body },
      charge,
      also: ({ text, used }) => {
        assert.strictEqual(text, pieces.join(""))
        assert.isBelow(used, 1_000)
      },
    })
  }
})

describe("bytes that come oddly", () => {
  const text = [Stub.role, ...words(3), Stub.finish(counts)].join("")
  const body = { stream_options: { include_usage: true } }
  check({
    name: "one at a time are passed on unchanged and counted",
    behaviour: Stub.dripping(text),
    options: { body },
    charge: exact,
    also: shows(text),
  })
  check({
    name: "all at once are passed on unchanged and counted",
    behaviour: Stub.sending([words(60_000).join("") + Stub.finish(counts)]),
    options: { body },
    charge: exact,
    also: shows(words(60_000).join("") + Stub.finish(counts)),
  })
  const huge = Stub.counted.withText(null, "é".repeat(1_500_000))
  check({
    name: "in one event larger than anything is held are passed on unchanged, and what follows is counted",
    behaviour: Stub.sending([huge, Stub.finish(counts)]),
    options: { body },
    charge: exact,
    also: shows(huge + Stub.finish(counts)),
  })
  const split = Stub.counted.withText(null, "你好 🦀 “quoted”")
  check({
    name: "cut within characters are passed on unchanged and counted",
    behaviour: Stub.sending(
      [...Buffer.from(split)].map((byte) => Buffer.of(byte)).concat([Buffer.from(Stub.finish(counts))]),
    ),
    options: { body },
    charge: exact,
    also: shows(split + Stub.finish(counts)),
  })
  for (const [name, end] of [
    ["CRLF", "\r\n"],
    ["CR", "\r"],
  ] as const) {
    check({
      name: `with lines that end in ${name} are passed on unchanged and counted`,
      behaviour: Stub.sending([text.replaceAll("\n", end)]),
      options: { body },
      charge: exact,
      also: shows(text.replaceAll("\n", end)),
    })
  }
  check({
    name: "with comments before and between are passed on unchanged and counted",
    behaviour: Stub.sending([
      ": keep-alive\n\n",
      ":\n\n",
      "retry: 10\n\n",
      ...words(1),
      ": keep-alive\n\n",
      Stub.finish(counts),
    ]),
    options: { body },
    charge: exact,
    also: shows(
      [": keep-alive\n\n", ":\n\n", "retry: 10\n\n", ...words(1), ": keep-alive\n\n", Stub.finish(counts)].join(""),
    ),
  })
  check({
    name: "behind hints of an answer to come are an answer like any other",
    behaviour: Stub.hinting(good),
    charge: exact,
    also: shows(goodText),
  })
  for (const [name, behaviour] of [
    ["a stream", Stub.gzipped(text, "text/event-stream")],
    ["an answer in one piece", Stub.gzipped(Stub.answer(counts), "application/json")],
    ["a page", Stub.json("<html>hello</html>", 200, { "content-type": "text/html" })],
    ["JSON that is no answer", Stub.json('{"code":5,"scode":"0x5","message":"for org-1"}')],
    ["JSON cut off without a word", Stub.sending([Stub.answer(counts).slice(0, 100)], { headers: jsonType })],
  ] as const) {
    check({
      name: `compressed or no answer at all (${name}) cost nothing and are not asked for again`,
      behaviour,
      status: 503,
      charge: "nothing",
    })
  }
  check({
    name: "in one piece though a stream was asked for are passed on and counted",
    behaviour: Stub.answering(counts),
    charge: exact,
    also: shows(Stub.answer(counts)),
  })
})

describe("an answer of another kind", () => {
  check({
    name: "an HTML page of a gateway is tried again, in vain",
    behaviour: Stub.html504,
    status: 503,
    tries: 3,
    charge: "nothing",
  })
  check({
    name: "a redirect is not followed, and its address stays with us",
    behaviour: Stub.json("{}", 302, { location: "http://127.0.0.1:1/org-1" }),
    status: 503,
    charge: "nothing",
    also: ({ headers }) => assert.isNull(headers.get("location")),
  })
  check({
    name: "an error without an end is read no further than it helps",
    behaviour: (_received, response) => {
      response.writeHead(403, jsonType)
      const more = (): void => {
        if (response.destroyed) return
        if (response.write("x".repeat(16_384))) setImmediate(more)
        else response.once("drain", more)
      }
      more()
    },
    status: 503,
    charge: "nothing",
  })
})

describe("an error told in a 200", () => {
  const quota = Stub.errorEvent("exceeded_current_quota_error", "Your account org-1 <ak-2> is suspended")
  const openAiQuota = 'data: {"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"org-1"}}\n\n'
  const overloaded = Stub.errorEvent("engine_overloaded_error", "for org-1")
  for (const [name, behaviour] of [
    ["as the first event", Stub.sending([quota])],
    ["in OpenAI's words", Stub.sending([openAiQuota])],
    ["after it was told who speaks", Stub.sending([Stub.role, quota])],
    ["as a named event", Stub.sending([`event: error\n${quota}`])],
    ["as a line that is no event", Stub.sending([quota.replace("data: ", "")])],
    ["as JSON", Stub.json(quota.replace("data: ", "").trim())],
  ] as const) {
    check({
      name: `${name} is an error answer like any other, in our words`,
      behaviour,
      status: 424,
      charge: "nothing",
      also: (seen) => {
        assert.strictEqual(errorIn(seen).code, "upstream_refused")
        assert.strictEqual(seen.headers.get("content-type"), "application/json")
      },
    })
  }
  check({
    name: "that another try can help with is tried again, unseen",
    behaviour: Stub.inTurn(Stub.sending([overloaded]), Stub.json(overloaded.slice(6).trim()), good),
    tries: 3,
    charge: exact,
    also: shows(goodText),
  })
  const inTheMidst = (event: string, ...more: ReadonlyArray<string>) => Stub.sending([...words(3), event, ...more])
  for (const [name, event, code] of [
    ["our quota", quota, "upstream_refused"],
    ["our quota in OpenAI's words", openAiQuota, "upstream_refused"],
    ["an overload", overloaded, "upstream_unavailable"],
    ["a filter", Stub.errorEvent("content_filter", "for org-1"), "content_declined"],
    ["that we had left", Stub.errorEvent("client_closed_request", "for org-1"), "upstream_unavailable"],
    ["a plain fault", 'data: {"error":"org-1 <ak-2>"}\n\n', "upstream_unavailable"],
  ] as const) {
    check({
      name: `in the midst of a stream (${name}) is said in our words, and then the stream breaks`,
      behaviour: inTheMidst(event, Stub.word(9), Stub.done),
      torn: true,
      charge: "estimate",
      also: (seen) => {
        assert.isTrue(seen.text.startsWith(words(3).join("")))
        assert.strictEqual(errorIn(seen).code, code)
        assert.notInclude(seen.text, "word9")
        assert.notInclude(seen.text, "[DONE]")
      },
    })
  }
  check({
    name: "in the midst of a stream, with the counts behind it, is charged by them",
    behaviour: inTheMidst(overloaded, Stub.counted.onTop(usage), Stub.done),
    torn: true,
    charge: exact,
  })
  check({
    name: "in the midst of a stream that then says nothing more is charged for what came, within the bound",
    behaviour: Stub.sending([...words(3), overloaded], { end: "stall" }),
    options: { settings: { hangUpDrain: Duration.millis(150) } },
    torn: true,
    charge: "estimate",
  })
  check({
    name: "in the midst of a stream that ends in its midst is said in our words all the same",
    behaviour: inTheMidst('data: {"error":{"message":"Your account org-1 <ak-2> is'),
    torn: true,
    charge: "estimate",
    also: (seen) => assert.strictEqual(errorIn(seen).code, "upstream_unavailable"),
  })
  check({
    name: "about the request itself, in the midst of a stream, is said in its own words, scrubbed",
    behaviour: inTheMidst(Stub.errorEvent("invalid_request_error", "high risk for org-1")),
    torn: true,
    charge: "estimate",
    also: (seen) => assert.deepInclude(errorIn(seen), { type: "invalid_request_error", message: "high risk for …" }),
  })
  check({
    name: "far into a long answer in one piece breaks it off before it",
    behaviour: Stub.json(`{"choices":[{"message":{"content":"${"x".repeat(600_000)}"}}],"error":{"message":"org-1"}}`),
    options: { body: { stream: false } },
    torn: true,
    charge: "estimate",
  })
})
