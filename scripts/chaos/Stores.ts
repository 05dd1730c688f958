/** What Redis and Postgres say once all is quiet, and whether they agree. */
import * as AllowanceRedis from "@berth/domain/live/AllowanceRedis"
import { sweep } from "@berth/domain/live/AllowanceRedis/Scripts"
import * as AllowanceSourcePostgres from "@berth/domain/live/AllowanceSourcePostgres"
import * as Postgres from "@berth/domain/live/Postgres"
import { RedisClient } from "@berth/domain/live/RedisClient"
import { Allowance } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { SqlClient } from "effect/sql/SqlClient"
import type { Customer } from "./Customers.ts"
import type { Charged } from "./Verdict.ts"

export const layer = (redisUrl: string, databaseUrl: string) =>
  Layer.mergeAll(AllowanceRedis.layer, AllowanceSourcePostgres.layer).pipe(
    Layer.provideMerge(
      Layer.mergeAll(RedisClient.layerOf(Redacted.make(redisUrl)), Postgres.layer(Redacted.make(databaseUrl), 2)),
    ),
    Layer.orDie,
  )

const soon = { schedule: Schedule.spaced("100 millis"), times: 600 }

/** As if so long had passed for Redis: what dead proxies held runs out, and becomes lost. How many that were. */
export const runOut = Effect.gen(function* () {
  const redis = yield* RedisClient
  return Number(yield* redis.script(sweep, [Date.now() + 600_000, 10_000]))
})

/** Whether nothing is on its way any more: usage to the ledger, changes to Redis, allowances that Redis lost. */
const onItsWay = Effect.gen(function* () {
  const redis = yield* RedisClient
  const sql = yield* SqlClient
  const waiting = yield* redis.call("length", (one) => one.xlen("usage:events"))
  const changes = yield* sql`SELECT 1 FROM work WHERE queue = 'allowance' AND done_at IS NULL`
  const outdated = yield* (yield* Allowance).outdated(yield* (yield* AllowanceSource).customers)
  return { waiting, changes: changes.length, outdated: outdated.length }
})

export const quiet = onItsWay.pipe(
  Effect.flatMap((left) =>
    Object.values(left).every((one) => one === 0)
      ? Effect.void
      : Effect.fail(new Error(`still on its way: ${JSON.stringify(left)}`)),
  ),
  Effect.retry(soon),
)

/** Holds that stand in Redis. */
export const open = Effect.gen(function* () {
  return yield* (yield* RedisClient).call("holds", (one) => one.zcard("holds"))
})

export const charged = Effect.gen(function* () {
  const sql = yield* SqlClient
  return yield* sql<Charged>`
    SELECT customer_id AS "customerId", trace_id AS "traceId", tokens, completion::bigint AS completion, estimated
    FROM ledger_entries WHERE kind IN ('usage', 'correction')`
})

export const lost = Effect.gen(function* () {
  const rows = yield* (yield* SqlClient)`SELECT 1 FROM ledger_entries WHERE kind = 'lost'`
  return rows.length
})

/** In what the two differ about a customer, in words. */
const differences = Effect.fnUntraced(function* ({ customerId }: Customer) {
  const sql = yield* SqlClient
  const redis = yield* RedisClient
  const view = Option.getOrThrow(yield* (yield* Allowance).view(customerId))
  const [row] = yield* sql<Record<"used" | "rev" | "packs" | "plan" | "grants" | "periods", number>>`
    SELECT a.rev, a.packs, a.plan,
      (SELECT coalesce(sum(tokens), 0)::bigint FROM ledger_entries l
       WHERE l.customer_id = a.customer_id AND kind IN ('usage', 'correction')) AS used,
      (SELECT count(*) FROM ledger_entries l WHERE l.customer_id = a.customer_id AND kind = 'grant') AS grants,
      (SELECT count(*) FROM allowance_periods p WHERE p.customer_id = a.customer_id) AS periods
    FROM allowances a WHERE a.customer_id = ${customerId}`
  if (row === undefined) return [`${customerId} is gone`]
  const pairs: ReadonlyArray<readonly [string, number, number]> = [
    ["used", view.used, row.used],
    ["rev", view.rev, row.rev],
    ["packs", view.packs, row.packs],
    ["plan", view.terms.plan, row.plan],
    ["held", view.held, 0],
    ["open holds", yield* redis.call("holds", (one) => one.hlen(`holds:{${customerId}}`)), 0],
    ["grants", row.grants, row.periods],
  ]
  return pairs.flatMap(([what, inRedis, inPostgres]) =>
    inRedis === inPostgres ? [] : [`${customerId}: ${what} is ${inRedis} in Redis and should be ${inPostgres}`],
  )
})

export const disagreements = (customers: ReadonlyArray<Customer>) =>
  Effect.map(Effect.forEach(customers, differences), (all) => all.flat())
