/** Two proxies before a gated upstream, and customers for whom a known number of requests fits. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as World from "../World.ts"
import * as Customers from "./Customers.ts"
import * as Fleet from "./Fleet.ts"
import { Gate, modest } from "./Gate.ts"
import * as LightClient from "./LightClient.ts"

export const body = (completion: number) => World.chatBody({ stream: true, max_completion_tokens: completion })
/** What each of the many asks for: less than the floor, so that it is held in full or not at all. */
export const many = 1_000
export const few = 200

export const until = Effect.fnUntraced(function* (what: string, seconds: number, is: () => boolean) {
  const deadline = performance.now() + seconds * 1_000
  while (!is()) {
    if (performance.now() > deadline) return yield* Effect.die(new Error(`not within ${seconds} s: ${what}`))
    yield* Effect.sleep(10)
  }
})

/** Two proxies, an upstream behind a gate, and what a prompt is held at. */
export const begin = Effect.fnUntraced(function* (
  name: string,
  streams: number,
  env: Readonly<Record<string, string>> = {},
) {
  const probe = World.customer(`${name}-probe`)
  const gate = new Gate({ prompt: 20, completion: modest, limit: Number.POSITIVE_INFINITY })
  const fleet = yield* Fleet.make({
    customers: [probe],
    behaviour: gate.behaviour,
    env: { KIMI_CONCURRENCY: String(4 * streams), ...env },
  })
  const urls = fleet.proxies.map((one) => one.url)
  const sent = LightClient.send(urls[0] ?? "", probe.token, body(many))
  yield* until("the probe is open", 20, () => gate.open === 1)
  const prompt = (yield* Effect.promise(() => fleet.held(probe))).sum - many
  gate.releaseSome(1)
  assert.strictEqual((yield* Effect.promise(() => sent.ended)).status, 200)
  yield* fleet.settled(probe)
  gate.used = 0
  gate.calls = 0

  /** A customer for whom `fitting` of the many fit at once and a rest that carries one of the few. */
  const customerFor = Effect.fnUntraced(function* (fitting: number) {
    const customer = World.customer(name, { plan: fitting * (prompt + many) + prompt + few + 50 })
    gate.plan({ limit: customer.snapshot.terms.plan })
    yield* Customers.insert(fleet.databaseUrl, [customer])
    return customer
  })
  /** Sends so many, to the proxies in turn, a few at a time so that no listen queue overflows. */
  const sendAll = Effect.fnUntraced(function* (token: string, count: number, completion = many) {
    const all: Array<LightClient.Sent> = []
    for (let index = 0; index < count; index++) {
      all.push(LightClient.insist(urls[index % urls.length] ?? "", token, body(completion)))
      if (index % 40 === 39) yield* Effect.sleep(10)
    }
    return all
  })
  return { fleet, gate, urls, prompt, customerFor, sendAll }
})

export const answersOf = (sent: ReadonlyArray<LightClient.Sent>) =>
  Effect.promise(() => Promise.all(sent.map((one) => one.ended)))

/** Of times: what a machine that is busy for a moment does not change. */
export const medianOf = (values: ReadonlyArray<number>): number =>
  [...values].sort((one, other) => one - other)[values.length >> 1] ?? Number.NaN

/** Every `usage` event of a customer, with no request counted twice; the sum of what they charge. */
export const counted = Effect.fnUntraced(function* (fleet: Pick<Fleet.Fleet, "events">) {
  const usage = (yield* fleet.events).filter((one) => one._tag === "usage")
  assert.strictEqual(new Set(usage.map((one) => `${one.requestId}:${one.attempt}`)).size, usage.length)
  return { calls: usage.length, charge: usage.reduce((sum, one) => sum + one.charge, 0), usage }
})
