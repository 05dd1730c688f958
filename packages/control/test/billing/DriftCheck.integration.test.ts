import { Allowance } from "@berth/domain/Allowance"
import type { CustomerId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import { Allowances } from "../../src/billing/Allowances.ts"
import * as AllowanceSync from "../../src/billing/AllowanceSync.ts"
import * as DriftCheck from "../../src/billing/DriftCheck.ts"
import { record } from "../../src/billing/Recorder.ts"
import * as Repair from "../../src/ops/Repair.ts"
import { admission, customer, november, world } from "./World.ts"

/**
 * Lets time go by until it is done: a difference must stand still for a while. Not so fast that Postgres, which answers in
 * real time, seems to be away.
 */
const joined = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.gen(function* () {
    while (fiber.pollUnsafe() === undefined) {
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 10)))
      yield* TestClock.adjust("50 millis")
    }
    return yield* Fiber.join(fiber)
  })
const later = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flatMap(Effect.forkChild(effect), joined)

const held = Effect.fn("held")(function* (customerId: CustomerId, request: string) {
  const one = yield* admission(customerId, request, { background: true })
  return one._tag === "Admitted" ? one.hold : yield* Effect.die(one._tag)
})

const spend = Effect.fn("spend")(function* (customerId: CustomerId, request: string) {
  const allowance = yield* Allowance
  yield* allowance.settle({
    hold: yield* held(customerId, request),
    model: "kimi-k2.6",
    usage: { prompt: 1_200, cached: 0, completion: 800, reasoning: 0 },
    estimated: false,
    traceId: "",
  })
})

/** What somebody books by hand: the proxies know nothing of it. */
const booked = Effect.fn("booked")(function* (customerId: CustomerId, tokens: number) {
  const sql = yield* SqlClient
  yield* sql`INSERT INTO ledger_entries (source_id, customer_id, kind, period, tokens, at)
    VALUES (${`usage:by-hand-${customerId}-${tokens}:1`}, ${customerId}, 'usage', 0, ${tokens}, ${november})`
})

const used = (expected: number, found: number) => [{ what: "used", expected, found }]

layer(world, { timeout: "60 seconds", excludeTestServices: true })("the drift check", (it) => {
  it.effect("finds nothing wrong with a busy customer, whether usage is recorded, on its way or held", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* AllowanceSync.heal
      yield* spend(accountId, "recorded")
      while (yield* record);
      yield* spend(accountId, "on its way")
      yield* held(accountId, "held")
      assert.deepStrictEqual(yield* DriftCheck.check(accountId), [])
      while (yield* record);
      assert.deepStrictEqual(yield* DriftCheck.check(accountId), [])
    }),
  )

  it.effect("finds nothing wrong while calls settle and the recorder runs", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* AllowanceSync.heal
      const settling = Effect.forEach(
        Array.from({ length: 60 }, (_, index) => `busy-${index}`),
        (request) => Effect.andThen(spend(accountId, request), Effect.yieldNow),
      )
      const recording = Effect.forEach(Array.from({ length: 20 }), () => record)
      const checking = Effect.forEach(Array.from({ length: 20 }), () => DriftCheck.check(accountId))
      const [, , verdicts] = yield* later(Effect.all([settling, recording, checking], { concurrency: 3 }))
      for (const verdict of verdicts) assert.isTrue(verdict === "undecided" || verdict.length === 0, String(verdict))
      while (yield* record);
      assert.deepStrictEqual(yield* DriftCheck.check(accountId), [])
    }),
  )

  it.effect("tells what was planted, whose it is and by how much, and counts it; the others are fine", () =>
    Effect.gen(function* () {
      const [ann, bob] = [(yield* customer()).accountId, (yield* customer()).accountId]
      yield* AllowanceSync.heal
      yield* spend(ann, "a")
      yield* booked(ann, 777)
      const before = (yield* Metric.value(Metric.withAttributes(DriftCheck.drifted, { what: "used" }))).count
      assert.strictEqual(yield* later(DriftCheck.checkAll), 1)
      assert.deepStrictEqual(yield* later(DriftCheck.check(ann)), used(2_777, 2_000))
      assert.deepStrictEqual(yield* DriftCheck.check(bob), [])
      const { count } = yield* Metric.value(Metric.withAttributes(DriftCheck.drifted, { what: "used" }))
      assert.strictEqual(Number(count) - Number(before), 1)

      const repaired = yield* later(Repair.repair(ann, "eve"))
      assert.deepStrictEqual(repaired, { before: used(2_777, 2_000), after: [] })
      const [line] = yield* (yield* SqlClient)`SELECT actor, detail FROM audit WHERE action = 'allowance.rebuild'`
      assert.deepEqual(line, { actor: "eve", detail: { before: used(2_777, 2_000) } })
      assert.strictEqual(yield* DriftCheck.checkAll, 0)
    }),
  )

  it.effect("keeps to itself what does not stand still", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* AllowanceSync.heal
      yield* booked(accountId, 100)
      const allowance = yield* Allowance
      const looked = yield* Deferred.make<void>()
      const watched = Allowance.of({
        ...allowance,
        compare: (snapshot, asked) =>
          Effect.tap(allowance.compare(snapshot, asked), () => Deferred.succeed(looked, undefined)),
      })
      const checking = yield* Effect.forkChild(Effect.provideService(DriftCheck.check(accountId), Allowance, watched))
      yield* Deferred.await(looked)
      yield* booked(accountId, 50)
      assert.strictEqual(yield* joined(checking), "undecided")
    }),
  )

  it.effect("decides nothing while a change is on its way", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId } = yield* customer()
      yield* AllowanceSync.heal
      yield* sql.withTransaction((yield* Allowances).change(accountId, { packs: 1_000 }))
      assert.strictEqual(yield* DriftCheck.check(accountId), "undecided")
    }),
  )
})
