/**
 * Allowances in memory, by the same pure rules as the scripts of `live/AllowanceRedis.ts` and with the same waits. Each
 * operation is one synchronous step, so it is as atomic as a script. Lost with the process and rebuilt from Postgres.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Allowance, AllowanceSnapshot, Hold } from "../Allowance.ts"
import type { UsageEvent } from "../Usage.ts"
import type { CustomerId } from "../Ids.ts"
import { admit } from "./Admit.ts"
import { BacklogLimit } from "./Backlog.ts"
import { apply } from "./Change.ts"
import { differencesBetween } from "./Compare.ts"
import { callsCounted, missingFrom } from "./Counted.ts"
import * as Holding from "./Holding.ts"
import { fromSnapshot, type Limit, viewOf } from "./Limit.ts"
import { SwitchBoard } from "./SwitchBoard.ts"
import { UsageLog } from "./UsageLog.ts"

interface Kept extends Holding.OpenHold {
  readonly hold: Hold
  readonly expiresAt: number
}

export const make: Effect.Effect<Allowance["Service"], never, UsageLog | SwitchBoard> = Effect.gen(function* () {
  const log = yield* UsageLog
  const stopped = yield* SwitchBoard
  const backlogLimit = yield* BacklogLimit
  const startedAt = yield* Clock.currentTimeMillis
  const limits = new Map<CustomerId, Limit>()
  const holds = new Map<string, Kept>()
  const markers = new Map<string, { readonly marker: Holding.Marker; readonly until: number }>()
  const customers = new Map<string, CustomerId>()

  const write = (customerId: CustomerId, limit: Limit) => {
    for (const token of limits.get(customerId)?.terms.tokens ?? []) customers.delete(token)
    for (const token of limit.terms.tokens) customers.set(token, customerId)
    limits.set(customerId, limit)
  }
  const append = (events: ReadonlyArray<UsageEvent>) => {
    for (const event of events) log.append(event)
  }
  const gather = (hold: Call, now: number): Holding.Holding => {
    const mark = markers.get(keyOf(hold))
    return {
      limit: limits.get(hold.customerId),
      open: holds.get(keyOf(hold)),
      marker: mark !== undefined && mark.until > now ? mark.marker : undefined,
    }
  }
  const store = (hold: Hold, { limit, open, marker }: Holding.Holding, now: number) => {
    const key = keyOf(hold)
    if (limit !== undefined) write(hold.customerId, limit)
    if (open === undefined) holds.delete(key)
    else holds.set(key, { ...open, hold, expiresAt: now + Holding.holdMillis })
    if (marker !== undefined && open === undefined) mark(key, marker, now)
  }
  const mark = (key: string, marker: Holding.Marker, now: number) => {
    // Set anew, so that the oldest stand first and can be dropped from the front.
    markers.delete(key)
    markers.set(key, { marker, until: now + Holding.markerMillis })
    for (const [old, { until }] of markers) {
      if (until > now) break
      markers.delete(old)
    }
  }

  /** What a snapshot and the stream's later events say together, without the open holds. */
  const toldBy = (
    snapshot: AllowanceSnapshot,
    asked: ReadonlyArray<string> | undefined,
  ): "stale" | { readonly unsure: ReadonlyArray<string> } | { readonly limit: Limit } => {
    const missed = log.missedBy(snapshot.recorded)
    if (missed === undefined) return "stale"
    const own = missed.filter((event) => event.customerId === snapshot.customerId)
    const { missing, unsure } = missingFrom(snapshot, own, asked)
    return unsure.length > 0 ? { unsure } : { limit: fromSnapshot(snapshot, missing) }
  }
  const withHolds = (customerId: CustomerId, limit: Limit): Limit =>
    [...holds.values()]
      .filter(({ hold }) => hold.customerId === customerId)
      .reduce((sum, kept) => Holding.hold(sum, kept, 1), limit)

  return {
    customerOf: Effect.fn("Allowance.customerOf")(function* (tokenHash) {
      return Option.fromUndefinedOr(customers.get(tokenHash))
    }),
    admit: Effect.fn("Allowance.admit")(function* (ask) {
      const now = yield* Clock.currentTimeMillis
      const { limit: before, open, marker } = gather(ask, now)
      const state = { limit: before, before: open, marker, stopped, backlogged: log.length() > backlogLimit }
      const { admission, limit, events } = admit(state, ask, now)
      if (limit !== undefined) write(ask.customerId, limit)
      append(events)
      if (admission._tag === "Admitted" && open === undefined) {
        const { hold } = admission
        holds.set(keyOf(ask), { ...hold, hold, expiresAt: now + Holding.holdMillis })
      }
      return admission
    }),
    renew: Effect.fn("Allowance.renew")(function* (renewed) {
      const now = yield* Clock.currentTimeMillis
      for (const hold of renewed) {
        const kept = Holding.renew(gather(hold, now), hold)
        if (kept !== undefined) store(hold, kept, now)
      }
    }),
    settle: Effect.fn("Allowance.settle")(function* (settlement) {
      const now = yield* Clock.currentTimeMillis
      const { result, holding } = Holding.settle(gather(settlement.hold, now), settlement, now)
      if (result === "repeat") return result
      store(settlement.hold, holding, now)
      log.append(Holding.usageEvent(settlement, result, now))
      return result
    }),
    release: Effect.fn("Allowance.release")(function* (hold) {
      const now = yield* Clock.currentTimeMillis
      store(hold, Holding.release(gather(hold, now)), now)
    }),
    sweep: Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (now < startedAt + Holding.sweepPatienceMillis) return 0
      const expired = [...holds.values()].filter((kept) => kept.expiresAt <= now)
      for (const { hold } of expired) {
        const { lost, holding } = Holding.expire(gather(hold, now))
        store(hold, holding, now)
        if (lost) log.append(Holding.lostEvent(hold, now))
      }
      return expired.length
    }).pipe(Effect.withSpan("Allowance.sweep")),
    apply: Effect.fn("Allowance.apply")(function* (change) {
      const now = yield* Clock.currentTimeMillis
      const applied = apply(limits.get(change.customerId), change)
      if (applied._tag !== "applied") return applied._tag
      write(change.customerId, applied.limit)
      append(applied.opened.map((one) => Holding.periodEvent(change.customerId, one, now)))
      return "applied"
    }),
    rebuild: Effect.fn("Allowance.rebuild")(function* (snapshot, asked) {
      const now = yield* Clock.currentTimeMillis
      const { customerId } = snapshot
      if ((limits.get(customerId)?.rev ?? 0) >= snapshot.rev) return "present"
      const told = toldBy(snapshot, asked)
      if (told === "stale" || "unsure" in told) return told
      for (const call of callsCounted(snapshot)) {
        holds.delete(`${customerId}:${call}`)
        mark(`${customerId}:${call}`, "settled", now)
      }
      write(customerId, withHolds(customerId, told.limit))
      return "rebuilt"
    }),
    compare: Effect.fn("Allowance.compare")(function* (snapshot, asked) {
      const now = yield* Clock.currentTimeMillis
      const { customerId, rev } = snapshot
      const found = limits.get(customerId)
      if (found === undefined || found.rev < rev) return "outdated"
      const told = found.rev > rev ? "stale" : toldBy(snapshot, asked)
      if (told === "stale" || "unsure" in told) return told
      return { differences: differencesBetween(told.limit, found, withHolds(customerId, told.limit), now) }
    }),
    forget: Effect.fn("Allowance.forget")(function* (customerId) {
      for (const token of limits.get(customerId)?.terms.tokens ?? []) customers.delete(token)
      limits.delete(customerId)
    }),
    outdated: Effect.fn("Allowance.outdated")(function* (asked) {
      const behind = asked.filter(({ customerId, rev }) => (limits.get(customerId)?.rev ?? 0) < rev)
      return behind.map(({ customerId }) => customerId)
    }),
    pulse: Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      return { life: "memory", lag: Math.max(0, now - (log.oldest() ?? now)) }
    }).pipe(Effect.withSpan("Allowance.pulse")),
    view: Effect.fn("Allowance.view")(function* (customerId) {
      const now = yield* Clock.currentTimeMillis
      const limit = limits.get(customerId)
      return limit === undefined ? Option.none() : Option.some(viewOf(limit, now))
    }),
  }
})

type Call = Pick<Hold, "customerId" | "requestId" | "attempt">

const keyOf = ({ customerId, requestId, attempt }: Call): string => `${customerId}:${requestId}:${attempt}`
