/**
 * Everything that can befall an allowance, each time in the midst of 200 open streams: a pack, a refund, another tier, a
 * pause, a hash that is lost and rebuilt, a period that ends, holds given up before their truth comes, and a Redis lost
 * whole. In the end the pure rules, told the same things in the same order, agree with Redis and with Postgres to the token,
 * and each period was granted once.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Allowance, AllowanceChange } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { apply } from "@berth/domain/Allowance/Change"
import { fold, fromSnapshot, type Limit, viewOf } from "@berth/domain/Allowance/Limit"
import { Calibrations } from "@berth/domain/Calibration"
import { ScriptTime } from "@berth/domain/live/AllowanceRedis"
import { sweep } from "@berth/domain/live/AllowanceRedis/Scripts"
import { RedisClient } from "@berth/domain/live/RedisClient"
import { Switches } from "@berth/domain/Switches"
import { sourceIdOf } from "@berth/domain/Usage"
import { UsageEvents } from "@berth/domain/UsageEvents"
import { Kimi } from "@berth/proxy/Kimi"
import * as Proxy from "@berth/proxy/Proxy"
import { Settings } from "@berth/proxy/Settings"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { Allowances, type Standing } from "../../src/billing/Allowances.ts"
import * as AllowanceSync from "../../src/billing/AllowanceSync.ts"
import * as Periods from "../../src/billing/Periods.ts"
import { record } from "../../src/billing/Recorder.ts"
import * as Stores from "../billing/RealStores.ts"
import * as GatedUpstream from "./GatedUpstream.ts"

const streams = 200
const minute = 60_000
/** By how much Redis' clock is ahead: the test lets the period end while nothing else moves. */
const ahead = { millis: 0 }
const time = Layer.succeed(ScriptTime)(Effect.map(Clock.currentTimeMillis, (now) => now + ahead.millis))

/** Tokens of a stream: each its own, so that no two mistakes cancel out. */
const tokensOf = (stream: number) => 200 + stream

const serve = Effect.fnUntraced(function* (upstream: URL) {
  const settings = Settings.layerOf({ upstreamSlots: streams + 50 })
  const built = yield* Layer.build(
    Layer.fresh(Proxy.serve).pipe(
      Layer.provideMerge(NodeHttpServer.layer(Proxy.server, { port: 0, host: "127.0.0.1" })),
      Layer.provide(Kimi.layerOf({ apiKey: Redacted.make("sk-test"), baseUrl: upstream })),
      Layer.provide([settings, Switches.layerMemory, Calibrations.layerMemory]),
    ),
  )
  const { address } = Context.get(built, HttpServer.HttpServer)
  return `http://127.0.0.1:${(address as { port: number }).port}/v1/chat/completions`
})

/** The rules alone, told what happened. */
const model = Effect.fnUntraced(function* (one: Stores.Customer) {
  const sql = yield* SqlClient
  const source = yield* AllowanceSource
  let limit: Limit = fromSnapshot(Option.getOrThrow(yield* source.snapshot(one.customerId)), [])
  const heard = new Set<string>()
  /** Everything new in the stream, then every new change: between two looks the test does only one of them. */
  const look = Effect.gen(function* () {
    const { events } = yield* (yield* UsageEvents).after({ epoch: "", cursor: "0-0" }, 10_000)
    for (const { event } of events) {
      if (heard.has(sourceIdOf(event))) continue
      heard.add(sourceIdOf(event))
      limit = fold(limit, event)
    }
    const rows = yield* sql<{ readonly id: string; readonly payload: unknown }>`
      SELECT id, payload FROM work WHERE queue = 'allowance' ORDER BY position`
    for (const { id, payload } of rows) {
      if (heard.has(id)) continue
      heard.add(id)
      const applied = apply(limit, yield* Schema.decodeUnknownEffect(AllowanceChange)(payload))
      if (applied._tag === "applied") limit = applied.limit
    }
  })
  const charges = () => [...heard].filter((source) => source.startsWith("usage:")).length
  return { look, limit: () => limit, charges }
})

const until = <R>(what: string, is: Effect.Effect<boolean, unknown, R>) =>
  Effect.gen(function* () {
    while (!(yield* is)) yield* Effect.sleep(20)
  }).pipe(Effect.timeoutOrElse({ duration: "30 seconds", orElse: () => Effect.die(new Error(`never: ${what}`)) }))

const run = Effect.gen(function* () {
  const sql = yield* SqlClient
  const redis = yield* RedisClient
  const allowance = yield* Allowance
  const allowances = yield* Allowances
  const upstream = yield* GatedUpstream.listen
  const one = yield* Stores.customer("midst", { plan: 50_000, nextPlan: 50_000, packs: 200_000 }, minute / 2)
  const { customerId, token } = one
  yield* AllowanceSync.heal
  yield* Stores.synced
  const rules = yield* model(one)
  const url = yield* serve(upstream.url)

  const ask = (stream: number) =>
    Effect.promise(() =>
      fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: JSON.stringify({
          model: "kimi-k2.6",
          stream: true,
          max_completion_tokens: 450,
          messages: [{ role: "user", content: `stream ${stream}` }],
        }),
      }),
    )
  const requestOf = new Map<number, string>()
  /** Its answer has begun, and is read to its end in the background. */
  const begin = Effect.fnUntraced(function* (stream: number) {
    const response = yield* ask(stream)
    assert.strictEqual(response.status, 200, `stream ${stream}`)
    requestOf.set(stream, response.headers.get("x-request-id") ?? "")
    yield* Effect.forkScoped(Effect.promise(() => response.text()))
  })
  const holds = redis.call("holds", (client) => client.hlen(`holds:{${customerId}}`))

  let begun = 0
  let ended = 0
  let tokens = 0
  /** Begins as many streams as have ended, so that what comes next befalls all 200 of them. */
  const fill = Effect.gen(function* () {
    const missing = Array.from({ length: streams - (begun - ended) }, (_, index) => begun + index)
    begun += missing.length
    yield* Effect.forEach(missing, begin, { concurrency: 20, discard: true })
    assert.strictEqual(upstream.open(), streams)
    assert.strictEqual(yield* holds, streams)
  })
  /** Ends the next so many streams, the oldest first, and waits until all of them are told. */
  const end = Effect.fnUntraced(function* (count: number) {
    for (const stream of Array.from({ length: count }, (_, index) => ended + index)) {
      upstream.end(stream, tokensOf(stream))
      tokens += tokensOf(stream)
    }
    ended += count
    yield* until(
      `${ended} streams are settled`,
      Effect.andThen(
        rules.look,
        Effect.sync(() => rules.charges() === ended),
      ),
    )
  })
  const recorded = Effect.gen(function* () {
    while (yield* record);
  })
  const change = Effect.fnUntraced(function* (some: Partial<Standing>) {
    yield* sql.withTransaction(allowances.change(customerId, some))
    yield* Stores.synced
    yield* rules.look
  })
  const packs = Effect.map(
    sql<{ packs: number }>`SELECT packs FROM allowances WHERE customer_id = ${customerId}`,
    ([row]) => row?.packs ?? 0,
  )

  yield* fill
  yield* change({ packs: (yield* packs) + 50_000 })
  yield* end(30)
  yield* recorded

  yield* fill
  yield* change({ tier: "team", plan: 55_000, nextPlan: 90_000 })
  yield* end(15)

  yield* fill
  yield* allowance.forget(customerId)
  yield* end(15)
  yield* AllowanceSync.heal

  yield* fill
  yield* change({ paused: true })
  assert.notStrictEqual((yield* ask(begun)).status, 200, "paused")
  yield* end(20)
  yield* recorded
  yield* change({ paused: false })

  yield* fill
  ahead.millis = minute / 2 + 1_000
  yield* end(1)
  yield* fill
  assert.strictEqual((yield* Stores.viewOf(one)).period, 1)
  yield* end(40)
  yield* fill
  // Billing does not know yet that the period is over.
  yield* change({ plan: 57_000 })

  const given = Array.from({ length: 15 }, (_, index) => `${customerId}:${requestOf.get(ended + index)}:1`)
  for (const member of given) yield* redis.call("expire", (client) => client.zadd("holds", "XX", 0, member))
  assert.strictEqual(yield* redis.script(sweep, ["", 100]), given.length)
  yield* end(25)

  yield* recorded
  // What Redis has not passed on yet is lost with it.
  yield* end(15)
  yield* fill
  yield* redis.call("lose", (client) => client.flushall())
  yield* until(
    "the proxy has told Redis what it lost",
    Effect.gen(function* () {
      yield* AllowanceSync.heal
      const { used } = yield* Stores.viewOf(one)
      return used === rules.limit().used && (yield* holds) === streams
    }),
  )
  yield* change({ packs: (yield* packs) - 20_000 })
  yield* end(streams)
  yield* recorded
  yield* AllowanceSync.heal
  yield* Periods.open
  yield* until(
    "nothing is held",
    Effect.map(holds, (left) => left === 0),
  )

  const now = (yield* Clock.currentTimeMillis) + ahead.millis
  const expected = viewOf(rules.limit(), now)
  const snapshot = Option.getOrThrow(yield* (yield* AllowanceSource).snapshot(customerId))
  assert.deepStrictEqual(yield* Stores.viewOf(one), expected, "Redis as the rules")
  assert.deepStrictEqual(viewOf(fromSnapshot(snapshot, []), now), expected, "Postgres as the rules")
  assert.deepInclude(expected, { period: 1, held: 0, rev: 7 })
  assert.isBelow(expected.packs, 230_000, "what period 0 used beyond its plan left the packs, however late it settled")

  const charges = Object.values(yield* Stores.chargesOf(one))
  assert.strictEqual(charges.length, ended)
  assert.strictEqual(
    charges.reduce((sum, charge) => sum + charge, 0),
    tokens,
  )
  const grants = yield* sql<{ source: string; tokens: number }>`
    SELECT source_id AS source, tokens FROM ledger_entries WHERE customer_id = ${customerId} AND kind = 'grant' ORDER BY id`
  assert.deepEqual(grants, [
    { source: `period:${customerId}:0`, tokens: 50_000 },
    { source: `period:${customerId}:1`, tokens: 90_000 },
  ])
})

describe("an allowance in the midst of 200 open streams", () => {
  it.live(
    "is the same by the rules, in Redis and in Postgres, whatever befalls it",
    () => run.pipe(Effect.scoped, Effect.provide(Stores.stores().pipe(Layer.provide(time)))),
    180_000,
  )
})
