import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import * as Postgres from "../src/live/Postgres.ts"
import { freshDatabase } from "../src/testing/FreshDatabase.ts"
import { type Offer, Work } from "../src/Work.ts"

const live = Work.layer.pipe(
  Layer.provideMerge(Layer.unwrap(Effect.map(freshDatabase, (url) => Postgres.layer(url, 5)))),
)

const row = (id: string, lane: string, queue: Offer["queue"] = "mails"): Offer => ({ id, lane, queue, payload: { id } })

layer(live)("the work table", (it) => {
  const taken = Effect.fn("taken")(function* (queue: Offer["queue"] = "mails", max = 10) {
    const rows = yield* (yield* Work).take(queue, max, 1_000)
    return rows.map(({ id }) => id).sort()
  })
  const empty = Effect.flatMap(SqlClient, (sql) => sql`DELETE FROM work`)

  it.effect("takes a row once however often it is offered, also after it is done", () =>
    Effect.gen(function* () {
      yield* empty
      const work = yield* Work
      assert.isTrue(yield* work.offer(row("a", "one")))
      assert.isFalse(yield* work.offer(row("a", "one")))
      assert.deepStrictEqual(yield* taken(), ["a"])
      yield* work.done("a")
      assert.isFalse(yield* work.offer(row("a", "one")))
      assert.deepStrictEqual(yield* taken(), [])
    }),
  )

  it.effect("is offered in the caller's transaction or not at all", () =>
    Effect.gen(function* () {
      yield* empty
      const sql = yield* SqlClient
      const work = yield* Work
      yield* Effect.exit(sql.withTransaction(Effect.andThen(work.offer(row("a", "one")), Effect.fail("rolled back"))))
      assert.deepStrictEqual(yield* taken(), [])
    }),
  )

  it.effect("handles a lane in order, one at a time, and other lanes beside it", () =>
    Effect.gen(function* () {
      yield* empty
      const work = yield* Work
      for (const [id, lane] of [
        ["a1", "a"],
        ["a2", "a"],
        ["b1", "b"],
      ] as const)
        yield* work.offer(row(id, lane))
      assert.deepStrictEqual(yield* taken(), ["a1", "b1"])
      assert.deepStrictEqual(yield* taken(), [])
      yield* work.done("a1")
      assert.deepStrictEqual(yield* taken(), ["a2"])
    }),
  )

  it.effect("gives two takers at once different rows", () =>
    Effect.gen(function* () {
      yield* empty
      const work = yield* Work
      yield* Effect.forEach(Array.from({ length: 40 }), (_, index) => work.offer(row(`r${index}`, `r${index}`)))
      const takers = yield* Effect.all(
        Array.from({ length: 4 }, () => taken("mails", 20)),
        { concurrency: "unbounded" },
      )
      const all = takers.flat()
      assert.strictEqual(new Set(all).size, all.length)
    }),
  )

  it.effect("a holder that died loses its row when the lease ends; one put off comes when it is due", () =>
    Effect.gen(function* () {
      yield* empty
      const work = yield* Work
      yield* work.offer(row("a", "one"))
      assert.deepStrictEqual(yield* taken(), ["a"])
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(yield* taken(), [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* taken(), ["a"])
      yield* work.putOff("a", 60_000)
      yield* TestClock.setTime(59_999)
      assert.deepStrictEqual(yield* taken(), [])
      yield* TestClock.setTime(60_000)
      assert.deepStrictEqual(yield* taken(), ["a"])
    }),
  )

  it.effect("hands out a reopened row again, and a buried one never, which frees its lane", () =>
    Effect.gen(function* () {
      yield* empty
      const work = yield* Work
      for (const id of ["a", "b"]) yield* work.offer(row(id, "one", "jobs"))
      assert.deepStrictEqual(yield* taken("jobs"), ["a"])
      yield* work.reopen("a")
      assert.deepStrictEqual(yield* taken("jobs"), [], "a row in hand is not handed out twice")
      yield* work.done("a")
      yield* work.reopen("a")
      assert.deepStrictEqual(yield* taken("jobs"), ["a"])
      yield* work.bury("a", "no use")
      assert.deepStrictEqual(yield* taken("jobs"), ["b"])
    }),
  )
})
