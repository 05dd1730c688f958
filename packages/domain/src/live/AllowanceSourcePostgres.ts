/** The allowance as Postgres knows it, read-only: terms, balances projected from the ledger, and how far the recorder came, in one snapshot. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { remembered } from "../Allowance/Limit.ts"
import { AllowanceSnapshot } from "../Allowance.ts"
import { AllowanceSource } from "../AllowanceSource.ts"
import { StoreUnavailable } from "../Errors.ts"
import type { CustomerId } from "../Ids.ts"

const decode = Schema.decodeUnknownEffect(AllowanceSnapshot)

export const layer: Layer.Layer<AllowanceSource, never, SqlClient> = Layer.effect(
  AllowanceSource,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const unavailable = (operation: string) => (cause: unknown) =>
      new StoreUnavailable({ store: "postgres", operation, cause })
    return AllowanceSource.of({
      snapshot: Effect.fn("AllowanceSource.snapshot")(
        function* (customerId) {
          // One statement is one snapshot, even at READ COMMITTED.
          const rows = yield* sql<{ readonly snapshot: unknown }>`
          SELECT jsonb_build_object(
            'customerId', a.customer_id, 'rev', a.rev, 'packs', a.packs,
            'period', p.number, 'periodEnd', p.ends_at,
            'used', (SELECT coalesce(sum(tokens), 0) FROM ledger_entries l
                     WHERE l.customer_id = a.customer_id AND l.period = p.number AND l.kind IN ('usage', 'correction')),
            'older', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'period', o.number, 'plan', o.plan,
                        'used', (SELECT coalesce(sum(tokens), 0) FROM ledger_entries l
                                 WHERE l.customer_id = o.customer_id AND l.period = o.number
                                   AND l.kind IN ('usage', 'correction')))), '[]')
                      FROM allowance_periods o
                      WHERE o.customer_id = a.customer_id AND o.number BETWEEN p.number - ${remembered} AND p.number - 1),
            'terms', jsonb_build_object(
              'tier', a.tier, 'plan', a.plan, 'nextPlan', a.next_plan, 'anchor', a.anchor,
              'serviceUntil', a.service_until, 'paused', a.paused, 'blocked', a.blocked,
              'tokens', (SELECT coalesce(jsonb_agg(hash ORDER BY hash), '[]') FROM proxy_tokens t
                         WHERE t.customer_id = a.customer_id AND t.state = 'live')),
            'recorded', (SELECT jsonb_build_object('epoch', epoch, 'cursor', cursor) FROM usage_cursor)
          ) AS snapshot
          FROM allowances a
          JOIN LATERAL (SELECT number, ends_at FROM allowance_periods p
                        WHERE p.customer_id = a.customer_id ORDER BY number DESC LIMIT 1) p ON true
          WHERE a.customer_id = ${customerId}`
          const row = rows[0]
          return row === undefined ? Option.none() : Option.some(yield* decode(row.snapshot))
        },
        Effect.mapError(unavailable("snapshot")),
      ),
      customerOf: Effect.fn("AllowanceSource.customerOf")(
        function* (tokenHash) {
          const rows = yield* sql<{ readonly id: CustomerId }>`
          SELECT customer_id AS id FROM proxy_tokens WHERE hash = ${tokenHash} AND state = 'live'`
          return Option.fromUndefinedOr(rows[0]?.id)
        },
        Effect.mapError(unavailable("customerOf")),
      ),
      customers: sql<{ readonly id: CustomerId }>`SELECT customer_id AS id FROM allowances ORDER BY 1`.pipe(
        Effect.map((rows) => rows.map((row) => row.id)),
        Effect.mapError(unavailable("customers")),
      ),
    })
  }),
)
