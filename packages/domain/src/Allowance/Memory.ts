/**
 * Allowances in memory, by the same pure rules as the scripts of `live/AllowanceRedis.ts` and with the same waits. Each
 * operation is one synchronous step, so it is as atomic as a script. Lost with the process and rebuilt from Postgres.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Allowance, Hold } from "../Allowance.ts"
import type { CustomerId } from "../Ids.ts"
import { admit } from "./Admit.ts"
import { BacklogLimit } from "./Backlog.ts"
import { apply } from "./Change.ts"
import * as Holding from "./Holding.ts"
import { fromSnapshot, type Limit, type Opened, viewOf } from "./Limit.ts"
import { UsageLog } from "./UsageLog.ts"

interface Kept extends Holding.OpenHold {
  readonly hold: Hold
  readonly expiresAt: number
}

export const make: Effect.Effect<Allowance["Service"], never, UsageLog> = Effect.gen(function* () {
  const log = yield* UsageLog
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
  const append = (customerId: CustomerId, opened: ReadonlyArray<Opened>, now: number) => {
    for (const one of opened) log.append(Holding.periodEvent(customerId, one, now))
  }
  const gather = (hold: Hold, now: number): Holding.Holding => {
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
    if (marker !== undefined && open === undefined) {
      // Set anew, so that the oldest stand first and can be dropped from the front.
      markers.delete(key)
      markers.set(key, { marker, until: now + Holding.markerMillis })
      for (const [old, { until }] of markers) {
        if (until > now) break
        markers.delete(old)
      }
    }
  }

  return {
    customerOf: Effect.fn("Allowance.customerOf")(function* (tokenHash) {
      return Option.fromUndefinedOr(customers.get(tokenHash))
    }),
    admit: Effect.fn("Allowance.admit")(function* (ask) {
      const now = yield* Clock.currentTimeMillis
      const state = {
        limit: limits.get(ask.customerId),
        before: holds.get(keyOf(ask)),
        backlogged: log.length() > backlogLimit,
      }
      const { admission, limit, opened } = admit(state, ask, now)
      if (limit !== undefined) write(ask.customerId, limit)
      append(ask.customerId, opened, now)
      if (admission._tag === "Admitted" && state.before === undefined) {
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
      const { result, holding } = Holding.settle(gather(settlement.hold, now), settlement)
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
      append(change.customerId, applied.opened, now)
      return "applied"
    }),
    rebuild: Effect.fn("Allowance.rebuild")(function* (snapshot) {
      const { customerId, recorded } = snapshot
      if (limits.has(customerId)) return "present"
      const missed = log.missedBy(recorded)
      if (missed === undefined) return "stale"
      const own = missed.filter((event) => event.customerId === customerId)
      let held = 0
      for (const kept of holds.values()) if (kept.hold.customerId === customerId) held += kept.ask
      write(customerId, { ...fromSnapshot(snapshot, own), held })
      return "rebuilt"
    }),
    forget: Effect.fn("Allowance.forget")(function* (customerId) {
      for (const token of limits.get(customerId)?.terms.tokens ?? []) customers.delete(token)
      limits.delete(customerId)
    }),
    absent: Effect.fn("Allowance.absent")(function* (asked) {
      return asked.filter((customerId) => !limits.has(customerId))
    }),
    view: Effect.fn("Allowance.view")(function* (customerId) {
      const now = yield* Clock.currentTimeMillis
      const limit = limits.get(customerId)
      return limit === undefined ? Option.none() : Option.some(viewOf(limit, now))
    }),
  }
})

const keyOf = ({ customerId, requestId, attempt }: Pick<Hold, "customerId" | "requestId" | "attempt">): string =>
  `${customerId}:${requestId}:${attempt}`
