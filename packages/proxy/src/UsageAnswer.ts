/**
 * What `GET /v1/usage` answers: the running balance, today and background apart, and this period by model and by UTC day.
 * The balance is the admission step's own; the history is what is recorded, some seconds old at most. While Postgres is
 * away the history is null and the rest is answered.
 */
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { endOfDay } from "@berth/domain/Allowance/Period"
import type { AllowanceView } from "@berth/domain/Allowance"
import { CustomerId } from "@berth/domain/Ids"
import { byDay, byModel } from "@berth/domain/UsageDays"
import * as Cache from "effect/Cache"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"

/** Customers whose history is kept, and for how long: an agent that asks after each turn must not read Postgres each time. */
const capacity = 1_000
const freshFor = "5 seconds"
/** How long an unreachable Postgres is not asked again for the same customer. */
const awayFor = "2 seconds"
const patience = "1 second"

/** Builds the answer of one customer. */
export const make = Effect.gen(function* () {
  const source = yield* AllowanceSource
  const histories = yield* Cache.makeWith(
    (key: string) => {
      const [period = "", id = ""] = key.split(":")
      return source.usage(CustomerId.make(id), Number(period)).pipe(
        Effect.timeout(patience),
        Effect.map((days) => ({ by_model: byModel(days), by_day: byDay(days) })),
        Effect.tapError((error) => Effect.logDebug("The history of usage can't be read", error._tag)),
      )
    },
    { capacity, timeToLive: (exit) => (Exit.isSuccess(exit) ? freshFor : awayFor) },
  )
  return Effect.fn("UsageAnswer.of")(function* (customerId: CustomerId, view: AllowanceView) {
    const history = yield* Effect.option(Cache.get(histories, `${view.period}:${customerId}`))
    return { ...balanceOf(view), ...Option.getOrElse(history, () => ({ by_model: null, by_day: null })) }
  })
})

const iso = (at: number): string => DateTime.formatIso(DateTime.makeUnsafe(at))

/** Charged tokens; instants in ISO 8601. */
const balanceOf = ({ background, held, heldBackground, limit, periodEnd, terms, today, used }: AllowanceView) => ({
  object: "usage",
  tier: terms.tier,
  used,
  held,
  limit,
  remaining: Math.max(0, limit - used - held),
  resets_at: iso(periodEnd),
  today: { used: today.used, cap: terms.dailyCap, resets_at: iso(endOfDay(today.day)) },
  background: { used: background, held: heldBackground, cap: terms.backgroundCap },
  paused: terms.paused,
  suspended: terms.blocked,
})
