/**
 * The allowance as Postgres knows it, read-only: terms, the ledger's sums by day, and how far the recorder came, in one
 * snapshot. It costs as much as a customer has days with usage, not calls. A Postgres that is away or silent fails it
 * within seconds.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { remembered } from "../Allowance/Limit.ts"
import { AllowanceSnapshot, type Revision } from "../Allowance.ts"
import { AllowanceSource } from "../AllowanceSource.ts"
import { StoreUnavailable } from "../Errors.ts"
import type { CustomerId } from "../Ids.ts"
import type { UsageDay } from "../UsageDays.ts"
import { inTime } from "./InTime.ts"

/**
 * A call may be settled again by a proxy that did not hear that it was: within 15 minutes, and shortly after Redis came
 * back. So long, counted from the customer's newest, and so many of them are told as counted.
 */
const repeatableMillis = 30 * 60_000
const mostRepeatable = 1_000

/** The last that a day's column holds. */
const lastDay = 2 ** 31 - 1

/** How long Postgres may take. A request waits for it, and its client for the request. */
const patience = 3_000

const decode = Schema.decodeUnknownEffect(AllowanceSnapshot)

export const layer: Layer.Layer<AllowanceSource, never, SqlClient> = Layer.effect(
  AllowanceSource,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const scope = yield* Effect.scope
    const unavailable = (operation: string) => (cause: unknown) =>
      new StoreUnavailable({ store: "postgres", operation, cause })
    /** Whatever goes wrong with a query is that Postgres is unavailable, and so is taking too long. */
    const query =
      (operation: string) =>
      <A>(effect: Effect.Effect<A, unknown>): Effect.Effect<A, StoreUnavailable> =>
        Effect.mapError(effect, unavailable(operation)).pipe(
          inTime(scope, patience, () => unavailable(operation)(`no answer within ${patience} ms`)),
        )
    return AllowanceSource.of({
      snapshot: Effect.fn("AllowanceSource.snapshot")(function* (customerId, asked) {
        const newest = sql`
          SELECT source_id FROM ledger_entries l
          WHERE l.customer_id = ${customerId} AND l.kind IN ('usage', 'correction')
            AND l.at > (SELECT max(at) FROM ledger_entries n
                        WHERE n.customer_id = ${customerId} AND n.kind IN ('usage', 'correction')) - ${repeatableMillis}
          ORDER BY l.at DESC LIMIT ${mostRepeatable}`
        const counted =
          asked === undefined
            ? sql`SELECT NULL AS source_id WHERE false`
            : sql`(${newest}) UNION SELECT source_id FROM ledger_entries WHERE ${sql.in("source_id", asked)}`
        // One statement is one snapshot, even at READ COMMITTED.
        const rows = yield* sql<{ readonly snapshot: unknown }>`
          SELECT jsonb_build_object(
            'customerId', a.customer_id, 'rev', a.rev, 'packs', a.packs,
            'period', p.number, 'periodEnd', p.ends_at,
            'used', u.used, 'background', u.background,
            'today', jsonb_build_object('day', u.day, 'used', (SELECT coalesce(sum(charged), 0) FROM usage_days d
                       WHERE d.customer_id = a.customer_id AND d.day = u.day)),
            'older', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'period', o.number, 'plan', o.plan,
                        'used', (SELECT coalesce(sum(charged), 0) FROM usage_days d
                                 WHERE d.customer_id = o.customer_id AND d.period = o.number))), '[]')
                      FROM allowance_periods o
                      WHERE o.customer_id = a.customer_id AND o.number BETWEEN p.number - ${remembered} AND p.number - 1),
            'ahead', (SELECT coalesce(jsonb_agg(f), '[]') FROM (
                        SELECT period, sum(charged) AS used,
                          coalesce(sum(charged) FILTER (WHERE d.background), 0) AS background
                        FROM usage_days d WHERE d.customer_id = a.customer_id AND d.period > p.number
                        GROUP BY period) f),
            'counted', (SELECT coalesce(jsonb_agg(source_id), '[]') FROM (${counted}) c),
            'terms', jsonb_build_object(
              'tier', a.tier, 'plan', a.plan, 'nextPlan', a.next_plan, 'anchor', a.anchor,
              'serviceUntil', a.service_until, 'paused', a.paused, 'blocked', a.blocked,
              'dailyCap', a.daily_cap, 'backgroundCap', a.background_cap,
              'tokens', (SELECT coalesce(jsonb_agg(hash ORDER BY hash), '[]') FROM proxy_tokens t
                         WHERE t.customer_id = a.customer_id AND t.state = 'live')),
            'recorded', (SELECT jsonb_build_object('epoch', epoch, 'cursor', cursor) FROM usage_cursor)
          ) AS snapshot
          FROM allowances a
          JOIN LATERAL (SELECT number, ends_at FROM allowance_periods p
                        WHERE p.customer_id = a.customer_id ORDER BY number DESC LIMIT 1) p ON true
          JOIN LATERAL (SELECT coalesce(sum(charged) FILTER (WHERE d.period = p.number), 0) AS used,
                          coalesce(sum(charged) FILTER (WHERE d.period = p.number AND d.background), 0) AS background,
                          coalesce(max(d.day), 0) AS day
                        FROM usage_days d WHERE d.customer_id = a.customer_id) u ON true
          WHERE a.customer_id = ${customerId}`
        const row = rows[0]
        return row === undefined ? Option.none() : Option.some(yield* decode(row.snapshot))
      }, query("snapshot")),
      customerOf: Effect.fn("AllowanceSource.customerOf")(function* (tokenHash) {
        const rows = yield* sql<{ readonly id: CustomerId }>`
          SELECT customer_id AS id FROM proxy_tokens WHERE hash = ${tokenHash} AND state = 'live'`
        return Option.fromUndefinedOr(rows[0]?.id)
      }, query("customerOf")),
      customers: sql<Revision>`SELECT customer_id AS "customerId", rev FROM allowances ORDER BY 1`.pipe(
        query("customers"),
      ),
      usage: Effect.fn("AllowanceSource.usage")(
        (customerId, period, sinceDay = lastDay) => sql<UsageDay>`
          SELECT period::bigint, day::bigint, model, background, prompt, cached, completion, charged, requests
          FROM usage_days WHERE customer_id = ${customerId} AND (period = ${period} OR day >= ${sinceDay})`,
        query("usage"),
      ),
    })
  }),
)
