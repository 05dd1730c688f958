/**
 * Whether one request may be held, and how much. Pure; the script `admit` of the Redis layer decides the same. Invariant:
 * an admitted hold never makes used + held exceed the limit, nor today's the daily cap, nor background turns' theirs. What
 * fits beside the open holds is admitted at once; what is refused for good would not fit without them either.
 */
import type { Admission, Ask } from "../Allowance.ts"
import { stoppedBy, type Stopped } from "../Switches.ts"
import type { UsageEvent } from "../Usage.ts"
import { hold, type Marker, type OpenHold, periodEvent } from "./Holding.ts"
import { capOf, type Limit, openDue, todayAt } from "./Limit.ts"
import { endOfDay } from "./Period.ts"

export interface Admitting {
  readonly limit: Limit | undefined
  /** What this very request and attempt already hold, when the same ask comes twice. */
  readonly before: OpenHold | undefined
  /** How this request and attempt ended before. */
  readonly marker: Marker | undefined
  readonly stopped: Stopped
  /** More events wait for the recorder than may. */
  readonly backlogged: boolean
}

export interface Admitted {
  readonly admission: Admission
  readonly limit: Limit | undefined
  readonly events: ReadonlyArray<UsageEvent>
}

export const admit = (state: Admitting, ask: Ask, now: number): Admitted => {
  const { limit, before } = state
  const refuse = (admission: Admission): Admitted => ({ admission, limit, events: [] })
  if (limit === undefined) return refuse({ _tag: "Absent" })
  if (!limit.terms.tokens.includes(ask.tokenHash)) return refuse({ _tag: "Revoked" })
  if (limit.terms.blocked) return refuse({ _tag: "Blocked" })
  if (limit.terms.paused) return refuse({ _tag: "Paused" })
  const what = stoppedBy(state.stopped, ask)
  if (what !== undefined) return refuse({ _tag: "Stopped", what })
  if (before !== undefined) return { ...grant(limit, ask, before), events: [] }
  if (state.marker !== undefined) return refuse({ _tag: "Ended" })
  if (now >= limit.periodEnd && now >= limit.terms.serviceUntil)
    return refuse({ _tag: "Lapsed", serviceUntil: limit.terms.serviceUntil })
  if (state.backlogged) return refuse({ _tag: "Backlogged" })

  const { limit: current, opened } = openDue(limit, now)
  const decided = decide(current, ask, now)
  const events = opened.map((one): UsageEvent => periodEvent(ask.customerId, one, now))
  return { ...decided, events: [...events, ...decided.events] }
}

/** In the period that runs. */
const decide = (limit: Limit, ask: Ask, now: number): Admitted => {
  const { used, held, background, heldBackground, periodEnd, period } = limit
  const { dailyCap, backgroundCap } = limit.terms
  const refuse = (admission: Admission): Admitted => ({ admission, limit, events: [] })
  const cap = capOf(limit)
  const today = todayAt(limit, now)
  const least = ask.prompt + Math.min(ask.completion, ask.floor)

  if (used + least > cap) return tellOnce(limit, ask, { _tag: "Exhausted", used, limit: cap, periodEnd }, now)
  if (dailyCap !== null && today.used + least > dailyCap)
    return refuse({ _tag: "DailyCapped", cap: dailyCap, resetsAt: endOfDay(today.day) })
  if (ask.background && background + least > backgroundCap)
    return refuse({ _tag: "BackgroundCapped", cap: backgroundCap, periodEnd })

  const free = Math.min(
    cap - used - held,
    dailyCap === null ? Number.POSITIVE_INFINITY : dailyCap - today.used - held,
    ask.background ? backgroundCap - background - heldBackground : Number.POSITIVE_INFINITY,
  )
  if (least > free) return refuse({ _tag: "Busy", limit: cap, periodEnd })
  const open = {
    period,
    ask: ask.prompt + Math.min(ask.completion, free - ask.prompt),
    background: ask.background,
  }
  return { ...grant(hold(limit, open, 1), ask, open), events: [] }
}

const tellOnce = (
  limit: Limit,
  { customerId }: Ask,
  admission: Extract<Admission, { _tag: "Exhausted" }>,
  at: number,
): Admitted => {
  const { period } = limit
  const told = { period, limit: admission.limit }
  if (limit.told?.period === told.period && limit.told.limit === told.limit) return { admission, limit, events: [] }
  const event: UsageEvent = { _tag: "exhausted", customerId, at, ...told, used: admission.used }
  return { admission, limit: { ...limit, told }, events: [event] }
}

const grant = (limit: Limit, ask: Ask, open: OpenHold): { readonly admission: Admission; readonly limit: Limit } => {
  const { customerId, requestId, attempt } = ask
  const cap = capOf(limit)
  const { period, ask: size, background } = open
  return {
    admission: {
      _tag: "Admitted",
      hold: { customerId, requestId, attempt, period, ask: size, background },
      completion: size - ask.prompt,
      remaining: cap - limit.used - limit.held,
      limit: cap,
      periodEnd: limit.periodEnd,
      tier: limit.terms.tier,
    },
    limit,
  }
}
