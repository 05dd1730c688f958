/** One request through a proxy whose upstream misbehaves: what its client sees, what it is charged, and that nothing is left of it. */
import type { UsageEvent } from "@berth/domain/Usage"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Limits } from "../src/Settings.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

export interface Seen {
  readonly status: number
  readonly headers: Headers
  /** All that came of the body. */
  readonly text: string
  /** The connection broke before the body's end. */
  readonly torn: boolean
  /** Charged tokens. */
  readonly used: number
  readonly events: ReadonlyArray<UsageEvent>
  /** Requests that the upstream got. */
  readonly tries: number
}

export interface Options {
  /** Asks for a stream unless told otherwise. */
  readonly body?: object
  readonly settings?: Partial<Limits>
}

/** What came of a body, and whether that is all of it. */
export const readAll = async (response: Response): Promise<{ text: string; torn: boolean }> => {
  const chunks: Array<Uint8Array> = []
  const text = () => Buffer.concat(chunks).toString()
  try {
    for await (const chunk of response.body ?? []) chunks.push(chunk)
    return { text: text(), torn: false }
  } catch {
    return { text: text(), torn: true }
  }
}

const good = { prompt: 11, completion: 2 }

/** There is but one place at the upstream, so a place that leaks would keep the next request out. */
export const face = Effect.fnUntraced(function* (behaviour: Stub.Behaviour, { body = {}, settings }: Options = {}) {
  const alice = World.customer("alice")
  const script = { now: behaviour }
  const world = yield* World.start({
    customers: [alice],
    behaviour: (received, response) => script.now(received, response),
    settings: { upstreamSlots: 1, ...settings },
  })
  const response = yield* Effect.promise(() =>
    World.post(world, alice.token, World.chatBody({ stream: true, ...body })),
  )
  const { text, torn } = yield* Effect.promise(() => readAll(response))
  const { used } = yield* world.settled(alice)
  const events = yield* world.events
  const tries = world.stub.received.length

  for (let waited = 0; world.stub.load.now > 0 && waited < 200; waited++) yield* Effect.sleep(10)
  assert.strictEqual(world.stub.load.now, 0, "a connection to the upstream is left open")
  script.now = Stub.either(good)
  assert.strictEqual((yield* World.chat(world, alice.token)).status, 200)
  assert.strictEqual((yield* world.settled(alice)).used, used + good.prompt + good.completion)
  assert.strictEqual((yield* world.events).length, events.length + 1)

  for (const secret of [World.upstreamKey, "org-1", "ak-2", "insufficient_quota"]) assert.notInclude(text, secret)
  const seen: Seen = { status: response.status, headers: response.headers, text, torn, used, events, tries }
  return seen
})

/** The error in an answer that is one, or in the last event of a stream. */
export const errorIn = ({ text }: Seen): { type: string; code: string | null; message: string } => {
  const json = text.startsWith("{") ? text : (/data: (\{"error".*)\n\n$/.exec(text)?.[1] ?? "{}")
  return JSON.parse(json).error
}
