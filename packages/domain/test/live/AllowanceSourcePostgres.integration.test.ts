import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import { AllowanceSource } from "../../src/AllowanceSource.ts"
import { CustomerId } from "../../src/Ids.ts"
import * as AllowanceSourcePostgres from "../../src/live/AllowanceSourcePostgres.ts"
import * as Postgres from "../../src/live/Postgres.ts"
import { freshDatabase } from "../../src/testing/FreshDatabase.ts"

const ann = CustomerId.make("ann")
const day = 86_400_000

const layer = AllowanceSourcePostgres.layer.pipe(
  Layer.provideMerge(Layer.unwrap(Effect.map(freshDatabase, (url) => Postgres.layer(url)))),
)

const use = Effect.fnUntraced(function* (
  source: string,
  period: number,
  tokens: number,
  at: number,
  background = false,
  kind = "usage",
) {
  const sql = yield* SqlClient
  yield* sql`
    INSERT INTO ledger_entries (source_id, customer_id, kind, period, tokens, model, background, at)
    VALUES (${source}, ${ann}, ${kind}, ${period}, ${tokens}, 'kimi-k2.6', ${background}, ${at})`
})

/** A customer in the second period, whose ledger has entries of every kind in three. */
const stand = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES (${ann}, 'customer', 1), ('bob', 'customer', 1)`
  yield* sql`
    INSERT INTO allowances
      (customer_id, rev, tier, plan, next_plan, packs, anchor, service_until, daily_cap, background_cap)
    VALUES (${ann}, 7, 'pro', 900, 1000, 50, 0, 99, 300, 200)`
  yield* sql`
    INSERT INTO allowance_periods (customer_id, number, starts_at, ends_at, plan, provisional)
    VALUES (${ann}, 0, 0, ${30 * day}, 800, false), (${ann}, 1, ${30 * day}, ${60 * day}, 900, false)`
  yield* sql`
    INSERT INTO proxy_tokens (hash, customer_id, state, created_at)
    VALUES ('live', ${ann}, 'live', 1), ('gone', ${ann}, 'revoked', 1)`
  yield* sql`UPDATE usage_cursor SET epoch = 'first', cursor = '5-0'`
  yield* use("grant:1", 1, 900, 30 * day, false, "grant")
  yield* use("usage:old:1", 0, 70, 29 * day)
  yield* use("usage:a:1", 1, 10, 40 * day)
  yield* use("usage:b:1", 1, 20, 40 * day + 5, true)
  yield* use("lost:c:1", 1, 0, 42 * day, false, "lost")
  // Of the newest day: one settled late into the period before, one a truth, one of a period not opened here yet.
  yield* use("usage:late:1", 0, 3, 41 * day)
  yield* use("usage:c:1", 1, 4, 42 * day - 1, true, "correction")
  yield* use("usage:early:1", 2, 100, 41 * day + 9, true)
})

describe("the allowance as Postgres knows it", () => {
  it.effect("counts by period, by background and by the newest day what the ledger has, and nothing twice", () =>
    Effect.gen(function* () {
      yield* stand
      const source = yield* AllowanceSource
      const { counted = [], ...snapshot } = Option.getOrThrow(yield* source.snapshot(ann, ["usage:old:1"]))
      assert.deepStrictEqual(snapshot, {
        customerId: ann,
        rev: 7,
        packs: 50,
        period: 1,
        periodEnd: 60 * day,
        used: 34,
        background: 24,
        today: { day: 41, used: 107 },
        older: [{ period: 0, used: 73, plan: 800 }],
        ahead: [{ period: 2, used: 100, background: 100 }],
        recorded: { epoch: "first", cursor: "5-0" },
        terms: {
          tier: "pro",
          plan: 900,
          nextPlan: 1_000,
          anchor: 0,
          serviceUntil: 99,
          paused: false,
          blocked: false,
          dailyCap: 300,
          backgroundCap: 200,
          tokens: ["live"],
        },
      })
      // The newest calls, and whatever older ones are asked for.
      assert.include(counted, "usage:c:1")
      assert.include(counted, "usage:old:1")
      assert.strictEqual(new Set(counted).size, counted.length)
    }).pipe(Effect.provide(layer)),
  )

  it.effect("of a customer who has used nothing is nothing, and of one without an allowance there is none", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* stand
      const source = yield* AllowanceSource
      assert.isTrue(Option.isNone(yield* source.snapshot(CustomerId.make("bob"))))
      yield* sql`
        INSERT INTO allowances (customer_id, rev, tier, plan, next_plan, packs, anchor, service_until, background_cap)
        VALUES ('bob', 1, 'pro', 900, 1000, 0, 0, 99, 200)`
      yield* sql`
        INSERT INTO allowance_periods (customer_id, number, starts_at, ends_at, plan, provisional)
        VALUES ('bob', 0, 0, ${30 * day}, 800, false)`
      const snapshot = Option.getOrThrow(yield* source.snapshot(CustomerId.make("bob")))
      assert.deepInclude(snapshot, { used: 0, background: 0, today: { day: 0, used: 0 }, older: [], ahead: [] })
      assert.isNull(snapshot.terms.dailyCap)
    }).pipe(Effect.provide(layer)),
  )
})
