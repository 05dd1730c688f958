/**
 * Reads our balance at the upstream again and again, and alerts operators before it is spent. It never touches traffic: a
 * reading that fails is counted, and the next one comes.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import * as Balance from "./Balance.ts"
import { Kimi } from "./Kimi.ts"
import * as Metrics from "./Metrics.ts"
import { Settings } from "./Settings.ts"

const say = ({ hoursLeft, news }: Balance.Outlook, balance: number): Effect.Effect<void> => {
  const figures = { balance, hoursLeft: Math.round(hoursLeft) }
  switch (news) {
    case "low":
      return Effect.annotateLogs(Effect.logError("our account at the upstream is nearly spent", figures), {
        alert: "kimi-balance",
      })
    case "recovered":
      return Effect.logInfo("our account at the upstream is well filled again", figures)
    case undefined:
      return Effect.void
  }
}

export const layer: Layer.Layer<never, never, Kimi | Settings> = Layer.effectDiscard(
  Effect.gen(function* () {
    const kimi = yield* Kimi
    const { balanceFloor, balancePoll } = yield* Settings
    let account = Balance.unread

    const look = Effect.gen(function* () {
      const balance = yield* kimi.balance
      const outlook = Balance.read(account, { at: yield* Clock.currentTimeMillis, balance }, balanceFloor)
      account = outlook.account
      yield* Metric.update(Metrics.kimiBalance, balance)
      yield* Metric.update(Metrics.kimiHoursLeft, outlook.hoursLeft)
      yield* Metric.update(Metrics.kimiBalanceLow, account.low ? 1 : 0)
      yield* say(outlook, balance)
    }).pipe(Effect.catchTag("BalanceUnknown", () => Metric.update(Metrics.kimiPollFailures, 1)))

    yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(balancePoll)))
  }),
)
