/**
 * What an account used: the running balance from the proxy's store, the history from the ledger. When the store holds no
 * hash yet (after its loss, before the first call) the balance is Postgres' own projection, which lags by what is on its way.
 */
import { Allowance, type AllowanceView } from "@berth/domain/Allowance"
import { fromSnapshot, viewOf } from "@berth/domain/Allowance/Limit"
import { dayOf, endOfDay } from "@berth/domain/Allowance/Period"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { StoreUnavailable } from "@berth/domain/Errors"
import type { CustomerId } from "@berth/domain/Ids"
import { headline, tiers } from "@berth/domain/Tiers"
import { byDay, byModel } from "@berth/domain/UsageDays"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import { leastCap } from "../billing/DailyCap.ts"
import type { UsageView } from "./Api.ts"

type View = typeof UsageView.Type

/** Days shown, today included. */
const shownDays = 30

/** The balance as a page shows it. */
const shown = ({ background, held, limit, periodEnd, terms, today, used }: AllowanceView) => ({
  headline: headline(tiers[terms.tier]),
  used,
  held,
  limit,
  resetsAt: periodEnd,
  paused: terms.paused,
  today: { used: today.used, resetsAt: endOfDay(today.day), cap: terms.dailyCap },
  leastDailyCap: leastCap,
  background: { used: background, cap: terms.backgroundCap },
})

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

      const balance = Effect.fn("UsageReport.balance")(function* (id: CustomerId, now: number) {
        const view = yield* allowance.view(id)
        if (Option.isSome(view)) return view
        return Option.map(yield* source.snapshot(id), (snapshot) => viewOf(fromSnapshot(snapshot, []), now))
      })

      const recent = Effect.fn("UsageReport.recent")(
        (id: CustomerId) => sql<View["recent"][number]>`
          SELECT at, coalesce(model, '') AS model, coalesce(prompt, 0)::bigint AS prompt,
            coalesce(cached, 0)::bigint AS cached, coalesce(completion, 0)::bigint AS completion,
            tokens AS charged, background, estimated
          FROM ledger_entries
          WHERE customer_id = ${id} AND kind IN ('usage', 'correction')
          ORDER BY at DESC, id DESC LIMIT 20`,
        Effect.mapError((cause) => new StoreUnavailable({ store: "postgres", operation: "usage", cause })),
      )

      return UsageReport.of({
        of: Effect.fn("UsageReport.of")(function* (id) {
          const now = yield* Clock.currentTimeMillis
          const view = Option.getOrUndefined(yield* balance(id, now))
          if (view === undefined) return Option.none()
          const firstShown = dayOf(now) - shownDays + 1
          const days = yield* source.usage(id, view.period, firstShown)
          return Option.some({
            ...shown(view),
            days: byDay(days.filter(({ day }) => day >= firstShown)),
            models: byModel(days.filter(({ period }) => period === view.period)),
            recent: yield* recent(id),
          })
        }),
      })
    }),
  )
}
