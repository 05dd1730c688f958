/**
 * A Redis that lost what came last, as after a power cut with the append-only file synced once a second, or a failover to a
 * replica that lagged. Whatever the order in which it is noticed, healed and told again: each call is charged once, in the
 * ledger and in the store.
 */
import { Allowance } from "@berth/domain/Allowance"
import { sweep } from "@berth/domain/live/AllowanceRedis/Scripts"
import { RedisClient } from "@berth/domain/live/RedisClient"
import { cutPower, written } from "@berth/domain/testing/RedisDisk"
import { UsageEvents } from "@berth/domain/UsageEvents"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { SqlClient } from "effect/sql/SqlClient"
import * as Schedule from "effect/Schedule"
import { Allowances } from "../../src/billing/Allowances.ts"
import * as AllowanceSync from "../../src/billing/AllowanceSync.ts"
import { record } from "../../src/billing/Recorder.ts"
import * as Stores from "./RealStores.ts"

const recorded = Effect.gen(function* () {
  while (yield* record);
})

const settle = Effect.fn("settle")(function* (settlement: ReturnType<typeof Stores.settlement>) {
  return yield* (yield* Allowance).settle(settlement)
})

const spend = Effect.fn("spend")(function* (one: Stores.Customer, request: string, tokens: number) {
  const settlement = Stores.settlement(yield* Stores.admit(one, request), tokens)
  yield* settle(settlement)
  return settlement
})

/** Redis comes back with the first so many bytes of its file, and everyone is connected again. */
const comesBackWith = Effect.fn("comesBackWith")(function* (bytes: number) {
  const redis = yield* Stores.OwnRedis
  assert.isAbove(yield* cutPower(redis, bytes), 0, "something was lost")
  yield* redis.start
  const connected = (yield* RedisClient).call("ping", (one) => one.ping())
  yield* Effect.retry(connected, Schedule.spaced("20 millis"))
})

/**
 * `known` stays, `recorded` is lost though Postgres has it, `lost` is lost before anyone recorded it. What comes back knows
 * neither of the last two; both are settled again by whoever settled them.
 */
const rewind = Effect.fn("rewind")(function* (name: string) {
  const redis = yield* Stores.OwnRedis
  const one = yield* Stores.customer(name)
  yield* AllowanceSync.heal
  yield* spend(one, "known", 10)
  yield* recorded
  // Redis answers before it syncs a trim, and these tests cut at a point that they choose.
  const kept = written(redis)
  const early = yield* spend(one, "recorded", 200)
  yield* recorded
  const late = yield* spend(one, "lost", 3_000)
  yield* comesBackWith(kept)
  assert.strictEqual((yield* Stores.viewOf(one)).used, 10)
  return { one, again: [early, late] }
})

const all = { known: 10, recorded: 200, lost: 3_000 }

const endsWell = Effect.fn("endsWell")(function* (one: Stores.Customer, charges: Record<string, number>) {
  yield* recorded
  const used = Object.values(charges).reduce((sum, tokens) => sum + tokens, 0)
  assert.deepStrictEqual(yield* Stores.chargesOf(one), charges)
  assert.deepInclude(yield* Stores.viewOf(one), { used, held: 0 })
  yield* AllowanceSync.heal
  assert.deepInclude(yield* Stores.viewOf(one), { used, held: 0 }, "and after the healer looked")
  assert.strictEqual(yield* AllowanceSync.heal, 0, "who has nothing more to do")
  yield* (yield* Allowance).forget(one.customerId)
  yield* AllowanceSync.heal
  assert.deepInclude(yield* Stores.viewOf(one), { used, held: 0 }, "as does a rebuild")
})

describe("a Redis that lost its last second", () => {
  it.live("is told again before anyone noticed: nothing is lost and nothing counts twice", () =>
    Effect.gen(function* () {
      const { one, again } = yield* rewind("told-first")
      for (const settlement of again) assert.strictEqual(yield* settle(settlement), "settled")
      assert.strictEqual((yield* Stores.viewOf(one)).used, 3_210)
      yield* endsWell(one, all)
    }).pipe(Effect.provide(Stores.stores())),
  )

  it.live("is healed before it is told again: what Postgres has is a repeat", () =>
    Effect.gen(function* () {
      const { one, again } = yield* rewind("healed-first")
      yield* recorded
      yield* AllowanceSync.heal
      assert.deepInclude(yield* Stores.viewOf(one), { used: 210, held: 0 })
      const results = yield* Effect.forEach(again, settle)
      assert.deepStrictEqual(results, ["repeat", "settled"])
      yield* endsWell(one, all)
    }).pipe(Effect.provide(Stores.stores())),
  )

  it.live("is told again, healed while the recorder is behind, and told once more", () =>
    Effect.gen(function* () {
      const { one, again } = yield* rewind("in-between")
      yield* (yield* UsageEvents).after(yield* placeOf, 1)
      yield* Effect.forEach(again, settle)
      yield* AllowanceSync.heal
      assert.deepInclude(yield* Stores.viewOf(one), { used: 3_210, held: 0 })
      assert.deepStrictEqual(yield* Effect.forEach(again, settle), ["repeat", "repeat"])
      yield* endsWell(one, all)
    }).pipe(Effect.provide(Stores.stores())),
  )

  it.live(
    "is never told again, because its proxies died too: only what nobody recorded is lost, and no hold stays",
    () =>
      Effect.gen(function* () {
        const { one } = yield* rewind("not-told")
        yield* recorded
        yield* AllowanceSync.heal
        yield* endsWell(one, { known: 10, recorded: 200 })
      }).pipe(Effect.provide(Stores.stores())),
  )

  it.live("gives up as lost what the ledger has: its truth told again is not charged again", () =>
    Effect.gen(function* () {
      const { one, again } = yield* rewind("given-up")
      const allowance = yield* Allowance
      yield* allowance.renew(again.map(({ hold }) => hold))
      const redis = yield* RedisClient
      assert.strictEqual(yield* redis.script(sweep, [Date.now() + 120_000, 100]), 2)
      assert.deepStrictEqual(yield* Effect.forEach(again, settle), ["corrected", "corrected"])
      assert.strictEqual((yield* Stores.viewOf(one)).used, 3_210)
      yield* endsWell(one, all)
    }).pipe(Effect.provide(Stores.stores())),
  )

  it.live("and whose clock was set back: what is settled after is recorded, though its id is one of before", () =>
    Effect.gen(function* () {
      const { one, again } = yield* rewind("clock-back")
      const { cursor } = yield* placeOf
      const [ms = 0] = cursor.split("-").map(Number)
      // The last id that the stream remembers stands in the past, so the next one follows it.
      const redis = yield* RedisClient
      const [early] = again
      assert.isDefined(early)
      const fields = yield* Effect.gen(function* () {
        yield* settle(early)
        const [entry] = yield* redis.call("last", (client) => client.xrevrange("usage:events", "+", "-", "COUNT", 1))
        assert.isDefined(entry)
        yield* redis.call("delete", (client) => client.xdel("usage:events", entry[0]))
        return entry[1]
      })
      yield* redis.call("reset", (client) => client.call("XSETID", "usage:events", `${ms - 1}-0`))
      const renamed = fields.map((field) => field.replace("clock-back-recorded", "clock-back-after"))
      yield* redis.call("add", (client) => client.xadd("usage:events", `${ms - 1}-1`, ...renamed))
      yield* Effect.forEach(again, settle)
      yield* recorded
      assert.deepStrictEqual(yield* Stores.chargesOf(one), { ...all, after: 200 })
    }).pipe(Effect.provide(Stores.stores())),
  )
})

describe("a Redis that lost a change", () => {
  it.live("gets it again though its outbox row is closed: a revoked token stays revoked", () =>
    Effect.gen(function* () {
      const redis = yield* Stores.OwnRedis
      const sql = yield* SqlClient
      const allowances = yield* Allowances
      const one = yield* Stores.customer("revoked")
      yield* AllowanceSync.heal
      yield* Stores.synced
      const open = yield* Stores.admit(one, "open")
      const kept = written(redis)
      yield* sql.withTransaction(
        Effect.andThen(
          sql`UPDATE proxy_tokens SET state = 'revoked' WHERE customer_id = ${one.customerId}`,
          allowances.tokensChanged(one.customerId),
        ),
      )
      yield* sql.withTransaction(allowances.change(one.customerId, { packs: 500 }))
      yield* Stores.synced
      assert.deepInclude(yield* Stores.viewOf(one), { rev: 3, packs: 500 })
      yield* comesBackWith(kept)
      assert.deepInclude(yield* Stores.viewOf(one), { rev: 1, packs: 0 })
      assert.strictEqual(yield* AllowanceSync.heal, 1)
      const view = yield* Stores.viewOf(one)
      assert.deepInclude(view, { rev: 3, packs: 500, held: open.ask })
      assert.deepStrictEqual(view.terms.tokens, [])
    }).pipe(Effect.provide(Stores.stores())),
  )
})

describe("a Postgres that was restored from a backup", () => {
  it.live("lacks what has left the stream since, and serves everyone again once the recorder has looked", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const one = yield* Stores.customer("restored")
      yield* AllowanceSync.heal
      yield* spend(one, "early", 10)
      yield* recorded
      const backup = yield* placeOf
      yield* spend(one, "late", 20)
      yield* recorded
      yield* sql`UPDATE usage_cursor SET cursor = ${backup.cursor}`
      yield* (yield* Allowance).forget(one.customerId)
      assert.isTrue(
        Exit.isFailure(yield* Effect.exit(AllowanceSync.heal)),
        "what it lacks may have been this customer's",
      )
      yield* recorded
      assert.strictEqual(yield* AllowanceSync.heal, 1)
      yield* spend(one, "after", 30)
      yield* recorded
      assert.deepInclude(yield* Stores.chargesOf(one), { after: 30 })
    }).pipe(Effect.provide(Stores.stores())),
  )
})

const placeOf = Effect.gen(function* () {
  const [place] = yield* (yield* SqlClient)<{ epoch: string; cursor: string }>`SELECT epoch, cursor FROM usage_cursor`
  return place ?? assert.fail("no place")
})
