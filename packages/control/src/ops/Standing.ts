/** How one customer stands, for ops: balance, caps, what stops them, and the period by model and day. */
import { Allowance } from "@berth/domain/Allowance"
import { fromSnapshot, viewOf } from "@berth/domain/Allowance/Limit"
import { endOfDay } from "@berth/domain/Allowance/Period"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import type { CustomerId } from "@berth/domain/Ids"
import { Refused } from "@berth/domain/Launch"
import { headline, tiers } from "@berth/domain/Tiers"
import { byDay, byModel, type UsageSum } from "@berth/domain/UsageDays"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { grouped } from "../notify/TokenWords.ts"
import * as Stops from "./Stops.ts"

/** By Redis, which the proxies go by; by Postgres, if Redis is not given, does not answer or does not know the customer. */
const balance = Effect.fn("Standing.balance")(function* (customerId: CustomerId) {
  const allowance = Option.getOrUndefined(yield* Effect.serviceOption(Allowance))
  const view = Option.flatten(
    allowance === undefined ? Option.none() : yield* Effect.option(allowance.view(customerId)),
  )
  if (Option.isSome(view)) return { view: view.value, store: "redis" as const }
  const now = yield* Clock.currentTimeMillis
  const snapshot = Option.getOrUndefined(yield* (yield* AllowanceSource).snapshot(customerId))
  if (snapshot === undefined) return yield* new Refused({ message: `${customerId} has no allowance.` })
  return { view: viewOf(fromSnapshot(snapshot, []), now), store: "postgres" as const }
})

export const of = Effect.fn("Standing.of")(function* (customerId: CustomerId) {
  const source = yield* AllowanceSource
  const { view, store } = yield* balance(customerId)
  const { terms, limit, used, held, today } = view
  const days = yield* source.usage(customerId, view.period)
  const stopped = (yield* Stops.all).filter(({ name }) => name === "all" || name === `customer:${customerId}`)
  return {
    customerId,
    offer: headline(tiers[terms.tier]),
    store,
    rev: view.rev,
    period: view.period,
    resetsAt: view.periodEnd,
    used,
    held,
    limit,
    left: Math.max(0, limit - used - held),
    today: { used: today.used, cap: terms.dailyCap, resetsAt: endOfDay(today.day) },
    background: { used: view.background, cap: terms.backgroundCap },
    paused: terms.paused,
    suspended: terms.blocked,
    stopped: stopped.map(({ name, reason }) => ({ name, reason })),
    models: byModel(days),
    days: byDay(days),
  }
})

export type Standing = Effect.Success<ReturnType<typeof of>>

const iso = (at: number): string => DateTime.formatIso(DateTime.makeUnsafe(at))
const sumLine = (name: string, { charged, background, requests }: UsageSum): string =>
  `  ${name.padEnd(16)} ${grouped(charged).padStart(12)}  ${grouped(requests)} calls, ${grouped(background)} by itself`

/** As people read it. Pure. */
export const textOf = (one: Standing): string =>
  [
    `${one.customerId}  ${one.offer}  (by ${one.store}, change ${one.rev})`,
    `  period ${one.period}, until ${iso(one.resetsAt)}`,
    `  used      ${grouped(one.used)} of ${grouped(one.limit)}; held ${grouped(one.held)}, left ${grouped(one.left)}`,
    `  today     ${grouped(one.today.used)}${one.today.cap === null ? ", no cap" : ` of ${grouped(one.today.cap)}`}`,
    `  by itself ${grouped(one.background.used)} of ${grouped(one.background.cap)}`,
    ...(one.paused ? ["  paused by the customer"] : []),
    ...(one.suspended ? ["  suspended"] : []),
    ...one.stopped.map(({ name, reason }) => `  stopped (${name}): ${reason}`),
    ...one.models.map((sum) => sumLine(sum.model, sum)),
    ...one.days.map((sum) => sumLine(sum.day, sum)),
  ].join("\n")
