import { Allowance } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import type { CustomerId } from "@berth/domain/Ids"
import { UsageEvents } from "@berth/domain/UsageEvents"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import { rebuild } from "@berth/domain/Allowance/Rebuild"
import * as AllowanceSync from "../../src/billing/AllowanceSync.ts"
import * as Periods from "../../src/billing/Periods.ts"
import { commit, gather, record } from "../../src/billing/Recorder.ts"
import * as Mirror from "../../src/billing/Mirror.ts"
import { project } from "../../src/billing/Projection.ts"
import { Payments } from "../../src/billing/Payments.ts"
import { invoiceState } from "./Facts.ts"
import { streamOf, usage } from "./Stream.ts"
import { admission, customer, world } from "./World.ts"

const december = Date.UTC(2026, 11, 24, 12)
const january = Date.UTC(2027, 0, 24, 12)

const ledger = Effect.fn("ledger")(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  return yield* sql<{ source: string; kind: string; tokens: number; period: number }>`
    SELECT source_id AS source, kind, tokens, period FROM ledger_entries WHERE customer_id = ${customerId} ORDER BY id`
})

const used = Effect.fn("used")(function* (customerId: CustomerId) {
  const rows = (yield* ledger(customerId)).filter(({ kind }) => kind === "usage" || kind === "correction")
  return rows.reduce((sum, { tokens }) => sum + tokens, 0)
})

const balance = Effect.fn("balance")(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const [row] = yield* sql<{ plan: number; packs: number }>`
    SELECT plan, packs FROM allowances WHERE customer_id = ${customerId}`
  return row
})

const givePacks = Effect.fn("givePacks")(function* (customerId: CustomerId, packs: number) {
  const sql = yield* SqlClient
  yield* sql`UPDATE allowances SET packs = ${packs} WHERE customer_id = ${customerId}`
})

layer(world, { timeout: "60 seconds", excludeTestServices: true })("the recorder", (it) => {
  it.effect("two recorders at once write each event once", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const events = Array.from({ length: 1_500 }, (_, index) => usage(accountId, `r${index}`, 10))
      const stream = streamOf("two", events)
      const all = Effect.gen(function* () {
        while (yield* record);
      }).pipe(Effect.provideService(UsageEvents, stream))
      yield* Effect.all([all, all, all], { concurrency: "unbounded" })
      assert.strictEqual(yield* used(accountId), 15_000)
      assert.strictEqual(yield* stream.length, 0)
    }),
  )

  it.effect("a crash between commit and trim counts nothing twice, and the next run trims", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const stream = streamOf("crash", [usage(accountId, "a", 70), usage(accountId, "b", 30)])
      yield* Effect.provideService(Effect.flatMap(gather, commit), UsageEvents, stream)
      assert.strictEqual(yield* stream.length, 2, "committed, not trimmed")
      yield* Effect.provideService(record, UsageEvents, stream)
      assert.strictEqual(yield* used(accountId), 100)
      assert.strictEqual(yield* stream.length, 0)
    }),
  )

  it.effect("a batch that another recorder committed meanwhile is left alone", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const stream = streamOf("late", [usage(accountId, "a", 70)])
      const gathered = yield* Effect.provideService(gather, UsageEvents, stream)
      const further = streamOf("late", [usage(accountId, "a", 70), usage(accountId, "b", 5)])
      yield* Effect.provideService(record, UsageEvents, further)
      yield* commit(gathered)
      assert.strictEqual(yield* used(accountId), 75)
      // A place that went back would make a rebuild count what is recorded already.
      const [place] = yield* (yield* SqlClient)`SELECT epoch, cursor FROM usage_cursor`
      assert.deepEqual(place, { epoch: "late", cursor: "2-0" })
    }),
  )

  it.effect("a stream that was lost starts anew: its events count, those it repeats do not", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const first = streamOf("before", [usage(accountId, "a", 70), usage(accountId, "b", 30)])
      yield* Effect.provideService(record, UsageEvents, first)
      const second = streamOf("after", [usage(accountId, "b", 30), usage(accountId, "c", 5)])
      yield* Effect.provideService(record, UsageEvents, second)
      assert.strictEqual(yield* used(accountId), 105)
    }),
  )

  it.effect("a period that Redis opened is booked once, though the job in billing opens it too", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId } = yield* customer()
      yield* givePacks(accountId, 1_000_000)
      const opened = {
        _tag: "period",
        customerId: accountId,
        at: december,
        period: 1,
        startsAt: december,
        endsAt: january,
        plan: 5_000_000,
      } as const
      const stream = streamOf("period", [usage(accountId, "a", 5_400_000), opened, usage(accountId, "b", 10, 1)])
      yield* Effect.provideService(record, UsageEvents, stream)
      assert.deepEqual(yield* balance(accountId), { plan: 5_000_000, packs: 600_000 })
      yield* TestClock.setTime(december + 1)
      yield* Periods.open
      const grants = (yield* ledger(accountId)).filter(({ kind }) => kind === "grant")
      assert.deepStrictEqual(
        grants.map(({ source }) => source),
        [`period:${accountId}:0`, `period:${accountId}:1`],
      )
      const [period] = yield* sql`
        SELECT provisional, ends_at FROM allowance_periods WHERE customer_id = ${accountId} AND number = 1`
      assert.deepEqual(period, { provisional: true, ends_at: january })
    }),
  )

  it.effect("a period that the job in billing opened is booked once, though Redis tells of it later", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* TestClock.setTime(december + 1)
      yield* Periods.open
      const opened = {
        _tag: "period",
        customerId: accountId,
        at: december + 2,
        period: 1,
        startsAt: december,
        endsAt: january,
        plan: 5_000_000,
      } as const
      yield* Effect.provideService(record, UsageEvents, streamOf("later", [opened, usage(accountId, "a", 10, 1)]))
      const entries = (yield* ledger(accountId)).map(({ kind, source }) => ({ kind, source }))
      assert.deepStrictEqual(entries, [
        { kind: "grant", source: `period:${accountId}:0` },
        { kind: "grant", source: `period:${accountId}:1` },
        { kind: "usage", source: `usage:${accountId}-a:1` },
      ])
    }),
  )

  it.effect("what settles late into a closed period leaves the packs by the same rule", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* givePacks(accountId, 1_000_000)
      // The job opens the period first, with less recorded than was used; the rest comes late, and Redis' own event last.
      yield* Effect.provideService(record, UsageEvents, streamOf("late-1", [usage(accountId, "a", 4_900_000)]))
      const sql = yield* SqlClient
      const [{ end } = { end: 0 }] = yield* sql<{ end: number }>`
        SELECT ends_at AS end FROM allowance_periods WHERE customer_id = ${accountId}`
      yield* TestClock.setTime(end + 1)
      yield* Periods.open
      assert.deepEqual(yield* balance(accountId), { plan: 5_000_000, packs: 1_000_000 })
      const late = [
        usage(accountId, "b", 50_000),
        usage(accountId, "c", 250_000),
        { ...usage(accountId, "d", 100_000), _tag: "correction" as const },
      ]
      yield* Effect.provideService(record, UsageEvents, streamOf("late-2", late))
      assert.deepEqual(yield* balance(accountId), { plan: 5_000_000, packs: 700_000 })
      yield* Effect.provideService(record, UsageEvents, streamOf("late-3", late))
      assert.deepEqual(yield* balance(accountId), { plan: 5_000_000, packs: 700_000 }, "a repeat takes nothing more")
    }),
  )

  it.effect("no period opens past the end of service, and a late payment opens the next from then on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId, subscriptionId } = yield* customer()
      const [{ until } = { until: 0 }] = yield* sql<{ until: number }>`
        SELECT service_until AS until FROM allowances WHERE customer_id = ${accountId}`
      const periods = Effect.map(
        sql<{ n: number }>`SELECT count(*) AS n FROM allowance_periods WHERE customer_id = ${accountId}`,
        ([row]) => row?.n,
      )
      yield* TestClock.setTime(until + 40 * 86_400_000)
      yield* Periods.open
      assert.strictEqual(yield* periods, 1)
      const subscription = yield* (yield* Payments).subscription(subscriptionId)
      const first = invoiceState({ subscriptionId, reason: "create", periodEnd: subscription.periodEnd })
      const paid = invoiceState({ id: "in_late", subscriptionId, periodEnd: until + 60 * 86_400_000 })
      yield* sql.withTransaction(
        Effect.andThen(
          Mirror.put(accountId, { subscription, invoices: [first, paid], payments: [] }),
          project(accountId),
        ),
      )
      yield* Periods.open
      assert.isAbove((yield* periods) ?? 0, 1)
    }),
  )

  it.effect("one customer whose period can't be opened keeps no other from theirs", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const source = yield* AllowanceSource
      const odd = (yield* customer()).accountId
      const fine = (yield* customer()).accountId
      const ids = [odd, fine]
      const [{ end } = { end: 0 }] = yield* sql<{ end: number }>`
        SELECT max(ends_at) AS end FROM allowance_periods WHERE ${sql.in("customer_id", ids)}`
      yield* TestClock.setTime(end)
      const failing = Effect.provideService(
        Effect.exit(Periods.open),
        AllowanceSource,
        AllowanceSource.of({ ...source, snapshot: (id) => (id === odd ? Effect.die("odd") : source.snapshot(id)) }),
      )
      assert.isTrue(Exit.isFailure(yield* failing), "and it is told")
      const opened = yield* sql<{ id: string }>`
        SELECT customer_id AS id FROM allowance_periods WHERE number = 1 AND ${sql.in("customer_id", ids)}`
      assert.deepStrictEqual(
        opened.map(({ id }) => id),
        [fine],
      )
      yield* Periods.open
    }),
  )

  it.effect("usage of the running period is written without summing up what was used before", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const source = yield* AllowanceSource
      const summing = AllowanceSource.of({ ...source, snapshot: () => Effect.die("summed up") })
      const stream = streamOf("cheap", [usage(accountId, "a", 7), usage(accountId, "b", 8)])
      yield* record.pipe(Effect.provideService(UsageEvents, stream), Effect.provideService(AllowanceSource, summing))
      assert.strictEqual(yield* used(accountId), 15)
    }),
  )

  it.effect("an event of nobody stops nothing", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const stream = streamOf("nobody", [usage("nobody" as CustomerId, "a", 1), usage(accountId, "b", 2)])
      yield* Effect.provideService(record, UsageEvents, stream)
      assert.strictEqual(yield* used(accountId), 2)
      assert.strictEqual(yield* stream.length, 0)
    }),
  )

  it.effect("a rebuild that the recorder overtakes still counts everything", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const allowance = yield* Allowance
      const source = yield* AllowanceSource
      yield* AllowanceSync.heal
      yield* spend(accountId, "early")
      const early = yield* source.snapshot(accountId)
      while (yield* record);
      yield* allowance.forget(accountId)
      let asked = 0
      const overtaken = AllowanceSource.of({
        ...source,
        snapshot: (id) => (asked++ === 0 ? Effect.succeed(early) : source.snapshot(id)),
      })
      yield* Effect.provideService(rebuild(accountId), AllowanceSource, overtaken)
      assert.strictEqual(asked, 2, "the first snapshot came too early")
      assert.deepInclude(Option.getOrThrow(yield* allowance.view(accountId)), { used: 2_000 })
    }),
  )

  it.effect("used tokens in the proxies' store and in the ledger agree, before and after Redis is lost whole", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const allowance = yield* Allowance
      const source = yield* AllowanceSource
      yield* AllowanceSync.heal
      yield* spend(accountId, "live")
      while (yield* record);
      assert.strictEqual(yield* used(accountId), 2_000)
      yield* allowance.forget(accountId)
      yield* AllowanceSync.heal
      const view = Option.getOrThrow(yield* allowance.view(accountId))
      const snapshot = Option.getOrThrow(yield* source.snapshot(accountId))
      assert.deepInclude(view, { used: 2_000, held: 0 })
      assert.deepInclude(snapshot, { used: 2_000, rev: view.rev })
    }),
  )
})

/** One call through the proxies' store: 1,200 prompt and 800 completion tokens. */
const spend = Effect.fn("spend")(function* (customerId: CustomerId, request: string) {
  const allowance = yield* Allowance
  const one = yield* admission(customerId, request)
  if (one._tag !== "Admitted") return assert.fail(one._tag)
  yield* allowance.settle({
    hold: one.hold,
    model: "kimi-k2.6",
    usage: { prompt: 1_200, cached: 0, completion: 800, reasoning: 0 },
    estimated: false,
    traceId: "",
  })
  return undefined
})
