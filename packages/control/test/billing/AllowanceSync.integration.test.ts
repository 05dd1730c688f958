import { Allowance } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { StoreUnavailable } from "@berth/domain/Errors"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import { Allowances } from "../../src/billing/Allowances.ts"
import * as AllowanceSync from "../../src/billing/AllowanceSync.ts"
import * as Worker from "../../src/Worker.ts"
import { customer, world } from "./World.ts"

const synced = Effect.gen(function* () {
  while (yield* Worker.drain({ queue: "allowance", attempts: 1_000, longestWaitMillis: 60_000 })(AllowanceSync.sync));
})

layer(world, { timeout: "60 seconds", excludeTestServices: true })("allowance changes", (it) => {
  const viewOf = Effect.fn("viewOf")(function* (customerId: Parameters<Allowance["Service"]["view"]>[0]) {
    return Option.getOrUndefined(yield* (yield* Allowance).view(customerId))
  })
  const change = Effect.fn("change")(function* (
    customerId: Parameters<Allowance["Service"]["view"]>[0],
    what: Parameters<Allowances["Service"]["change"]>[1],
  ) {
    const sql = yield* SqlClient
    yield* sql.withTransaction((yield* Allowances).change(customerId, what))
  })

  it.effect("reach Redis in order, and one that alters nothing makes no number", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* synced
      assert.deepInclude(yield* viewOf(accountId), { rev: 1, limit: 5_000_000 })
      yield* change(accountId, { paused: true })
      yield* change(accountId, { packs: 1_000_000 })
      yield* change(accountId, { packs: 1_000_000 })
      yield* synced
      const view = yield* viewOf(accountId)
      assert.deepInclude(view, { rev: 3, limit: 6_000_000 })
      assert.isTrue(view?.terms.paused)
    }),
  )

  it.effect("a change of tier takes the cap on background turns with it, and leaves the customer's daily cap", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer({ tier: "starter" })
      yield* change(accountId, { dailyCap: 100_000 })
      yield* synced
      assert.deepInclude((yield* viewOf(accountId))?.terms, { dailyCap: 100_000, backgroundCap: 200_000 })
      yield* change(accountId, { tier: "team", plan: 20_000_000, nextPlan: 20_000_000 })
      yield* synced
      assert.deepInclude((yield* viewOf(accountId))?.terms, { dailyCap: 100_000, backgroundCap: 4_000_000 })
    }),
  )

  it.effect("a change that was missed is made up for by a rebuild", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId } = yield* customer()
      yield* synced
      yield* change(accountId, { packs: 100 })
      yield* sql`UPDATE work SET done_at = 0 WHERE queue = 'allowance' AND done_at IS NULL`
      yield* change(accountId, { packs: 300 })
      yield* synced
      assert.deepInclude(yield* viewOf(accountId), { rev: 3, packs: 300 })
    }),
  )

  it.effect("a change is not lost to somebody who rebuilds from an older snapshot at the same moment", () =>
    Effect.gen(function* () {
      const allowance = yield* Allowance
      const source = yield* AllowanceSource
      const { accountId } = yield* customer()
      yield* synced
      const old = Option.getOrThrow(yield* source.snapshot(accountId))
      yield* change(accountId, { blocked: true })
      yield* allowance.forget(accountId)
      // Whoever asks for a snapshot is overtaken by a proxy that still holds the old one.
      const overtaken = AllowanceSource.of({
        ...source,
        snapshot: (id) => Effect.tap(source.snapshot(id), () => allowance.rebuild(old)),
      })
      yield* Effect.provideService(synced, AllowanceSource, overtaken)
      assert.deepInclude((yield* viewOf(accountId))?.terms, { blocked: true })
    }),
  )

  it.effect("rolled back with their transaction", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId } = yield* customer()
      const allowances = yield* Allowances
      yield* synced
      yield* Effect.exit(
        sql.withTransaction(Effect.andThen(allowances.change(accountId, { blocked: true }), Effect.die("crash"))),
      )
      yield* synced
      assert.deepInclude(yield* viewOf(accountId), { rev: 1 })
    }),
  )

  it.effect("a Redis lost whole is rebuilt for every customer, with the changes that were on their way", () =>
    Effect.gen(function* () {
      const allowance = yield* Allowance
      const one = yield* customer()
      const two = yield* customer()
      yield* synced
      yield* change(one.accountId, { blocked: true })
      yield* allowance.forget(one.accountId)
      yield* allowance.forget(two.accountId)
      yield* AllowanceSync.heal
      yield* synced
      assert.isTrue((yield* viewOf(one.accountId))?.terms.blocked)
      assert.deepInclude(yield* viewOf(two.accountId), { rev: 1, limit: 5_000_000 })
      assert.strictEqual(yield* AllowanceSync.heal, 0)
    }),
  )

  it.effect("one customer who can't be rebuilt keeps no other from it", () =>
    Effect.gen(function* () {
      const allowance = yield* Allowance
      const source = yield* AllowanceSource
      const all = yield* source.customers
      yield* Effect.forEach(all, ({ customerId }) => allowance.forget(customerId))
      const broken = AllowanceSource.of({
        ...source,
        snapshot: (id) =>
          id === all[0]?.customerId
            ? Effect.fail(new StoreUnavailable({ store: "postgres", operation: "snapshot", cause: "unreadable" }))
            : source.snapshot(id),
      })
      const healed = yield* Effect.exit(Effect.provideService(AllowanceSync.heal, AllowanceSource, broken))
      assert.isTrue(Exit.isFailure(healed), "and it is told")
      assert.isAbove(all.length, 2)
      const left = all.slice(0, 1).map(({ customerId }) => customerId)
      assert.deepStrictEqual(yield* allowance.outdated(all), left)
    }),
  )
})
