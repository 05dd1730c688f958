/**
 * What an account used: the running balance from the proxy's store, the history from the ledger. When the store holds no
 * hash yet (after its loss, before the first call) the balance is Postgres' own projection, which lags by what is on its way.
 */
import { Allowance } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { StoreUnavailable } from "@berth/domain/Errors"
import type { CustomerId } from "@berth/domain/Ids"
import { headline, tiers } from "@berth/domain/Tiers"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import type { UsageView } from "./Api.ts"

type View = typeof UsageView.Type
type Balance = Pick<View, "headline" | "used" | "held" | "limit" | "resetsAt" | "paused">

/** Days shown, today included. */
const shownDays = 30

export class UsageReport extends Context.Service<
  UsageReport,
  { of(id: CustomerId): Effect.Effect<Option.Option<View>, StoreUnavailable> }
>()("@berth/control/UsageReport") {
  static readonly layer: Layer.Layer<UsageReport, never, SqlClient | Allowance | AllowanceSource> = Layer.effect(
    UsageReport,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const allowance = yield* Allowance
      const source = yield* AllowanceSource

      const projected = Effect.fn("UsageReport.projected")(function* (id: CustomerId) {
        const snapshot = yield* source.snapshot(id)
        return Option.map(snapshot, ({ packs, periodEnd, terms, used }): Balance => ({
          headline: headline(tiers[terms.tier]),
          used,
          held: 0,
          limit: terms.plan + packs,
          resetsAt: periodEnd,
          paused: terms.paused,
        }))
      })

      const balance = Effect.fn("UsageReport.balance")(function* (id: CustomerId) {
        const view = yield* allowance.view(id)
        if (Option.isNone(view)) return yield* projected(id)
        const { held, limit, periodEnd, terms, used } = view.value
        return Option.some<Balance>({
          headline: headline(tiers[terms.tier]),
          used,
          held,
          limit,
          resetsAt: periodEnd,
          paused: terms.paused,
        })
      })

      const history = Effect.fn("UsageReport.history")(
        function* (id: CustomerId) {
          const now = yield* Clock.currentTimeMillis
          const days = yield* sql<View["days"][number]>`
            SELECT to_char(to_timestamp(at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day,
              coalesce(sum(prompt), 0)::bigint AS prompt, coalesce(sum(cached), 0)::bigint AS cached,
              coalesce(sum(completion), 0)::bigint AS completion, coalesce(sum(tokens), 0)::bigint AS charged,
              count(*)::bigint AS requests
            FROM ledger_entries
            WHERE customer_id = ${id} AND kind IN ('usage', 'correction') AND at > ${now - shownDays * 86_400_000}
            GROUP BY 1 ORDER BY 1`
          const recent = yield* sql<View["recent"][number]>`
            SELECT at, coalesce(model, '') AS model, coalesce(prompt, 0)::bigint AS prompt,
              coalesce(cached, 0)::bigint AS cached, coalesce(completion, 0)::bigint AS completion,
              tokens AS charged, estimated
            FROM ledger_entries
            WHERE customer_id = ${id} AND kind IN ('usage', 'correction')
            ORDER BY at DESC, id DESC LIMIT 20`
          return { days, recent }
        },
        Effect.mapError((cause) => new StoreUnavailable({ store: "postgres", operation: "usage", cause })),
      )

      return UsageReport.of({
        of: Effect.fn("UsageReport.of")(function* (id) {
          const now = yield* balance(id)
          if (Option.isNone(now)) return Option.none()
          return Option.some({ ...now.value, ...(yield* history(id)) })
        }),
      })
    }),
  )
}
