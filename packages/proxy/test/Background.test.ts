import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Turn, turnOf } from "../src/Background.ts"
import { openClawBody } from "./OpenClawBody.ts"
import * as Turns from "./OpenClawTurns.ts"

const of = (body: unknown, indent?: number): Turn => turnOf(Buffer.from(JSON.stringify(body, undefined, indent)))
const { answered, called, completion, context, goOn, heartbeat, heartbeatText, reminder, said, scheduled, turn } = Turns

describe("the turn of a request", () => {
  const rows: ReadonlyArray<readonly [name: string, expected: Turn, ...messages: ReadonlyArray<object>]> = [
    ["of a heartbeat", "heartbeat", said("hi"), answered, heartbeat, context],
    ["of a heartbeat, after its tools", "heartbeat", said("hi"), answered, heartbeat, ...called, ...called, context],
    ["of a heartbeat that is asked to go on without tools", "heartbeat", heartbeat, ...called, goOn],
    ["of a heartbeat with tasks", "heartbeat", said("hi"), answered, Turns.tasks, context],
    ["of a cron job", "scheduled", scheduled, context],
    ["of a cron job, after its tools", "scheduled", scheduled, ...called, context],
    ["of a reminder", "scheduled", said("hi"), answered, reminder, context],
    ["of a person", "person", said("hi"), context],
    ["of a person, after its tools", "person", said("hi"), ...called, context],
    ["of a person, after a heartbeat", "person", heartbeat, answered, said("hi"), context],
    ["of a person, after a heartbeat that was refused", "person", heartbeat, said("hi"), context],
    ["of a person who quotes a heartbeat", "person", said(heartbeatText), context],
    ["of a person who quotes a cron job", "person", said(scheduled.content), context],
    ["of a person whose command has ended", "person", said("hi"), answered, completion, context],
  ]
  for (const [name, expected, ...messages] of rows) {
    it(`${name} is told`, () => {
      assert.strictEqual(of(turn(...messages)), expected)
      assert.strictEqual(of(turn(...messages), 2), expected, "with white space")
    })
  }

  it("of a person who wrote twice, and quotes a heartbeat in the second, is told", () => {
    const parts = ["hi", heartbeatText].map((text) => ({ type: "text", text }))
    assert.strictEqual(of(turn({ role: "user", content: parts }, context)), "person")
  })
  it("of a person who begins as a heartbeat does, but was not told the time, is told", () => {
    const begun = { role: "user", content: heartbeatText.slice(0, 60) }
    assert.strictEqual(of(turn(scheduled, answered, begun)), "person")
  })
  it("of a heartbeat in parts is told by the first", () => {
    const content = [{ type: "text", text: heartbeatText, cache_control: { type: "ephemeral" } }]
    assert.strictEqual(of(turn({ role: "user", content }, context)), "heartbeat")
  })
  it("is a person's where nothing tells", () => {
    const quoted = JSON.stringify(heartbeatText)
    const texts = [
      JSON.stringify(openClawBody()),
      JSON.stringify({ ...turn(heartbeat), messages: "none" }),
      `{"messages":[${quoted},[${quoted}],{"role":"user"},{"role":"user","content":[${quoted}]}]}`,
      `{"messages":[{"content":${quoted}},{"role":"system","content":${quoted}},{"role":"assistant","content":${quoted}}]}`,
      quoted,
      "",
    ]
    for (const text of texts) assert.strictEqual(turnOf(Buffer.from(text)), "person", text.slice(0, 80))
  })
  it("is told of any bytes at all", () => {
    const piece = fc.oneof(
      fc.constantFrom('"role":"user"', '"content":', JSON.stringify(heartbeatText), '{"messages":[{', "}]}", "[", '"'),
      fc.string(),
    )
    const bytes = fc.array(piece).map((pieces) => Buffer.from(pieces.join("")))
    fc.assert(fc.property(bytes, (body) => ["person", "heartbeat", "scheduled"].includes(turnOf(body))))
  })
})
