/**
 * Whether one request may be held, and how much. Pure; the script `admit` of the Redis layer decides the same. Invariant:
 * an admitted hold never makes used + held exceed the limit. What fits beside the open holds is admitted at once.
 */
import type { Admission, Ask } from "../Allowance.ts"
import type { OpenHold } from "./Holding.ts"
import { capOf, type Limit, type Opened, openDue } from "./Limit.ts"

export interface Admitting {
  readonly limit: Limit | undefined
  /** What this very request and attempt already hold, when the same ask comes twice. */
  readonly before: OpenHold | undefined
  /** More events wait for the recorder than may. */
  readonly backlogged: boolean
}

export interface Admitted {
  readonly admission: Admission
  readonly limit: Limit | undefined
  readonly opened: ReadonlyArray<Opened>
}

export const admit = ({ limit, before, backlogged }: Admitting, ask: Ask, now: number): Admitted => {
  const refuse = (admission: Admission): Admitted => ({ admission, limit, opened: [] })
  if (limit === undefined) return refuse({ _tag: "Absent" })
  if (!limit.terms.tokens.includes(ask.tokenHash)) return refuse({ _tag: "Revoked" })
  if (limit.terms.blocked) return refuse({ _tag: "Blocked" })
  if (limit.terms.paused) return refuse({ _tag: "Paused" })
  if (before !== undefined) return { ...grant(limit, ask, before), opened: [] }
  if (now >= limit.periodEnd && now >= limit.terms.serviceUntil)
    return refuse({ _tag: "Lapsed", serviceUntil: limit.terms.serviceUntil })
  if (backlogged) return refuse({ _tag: "Backlogged" })

  const { limit: current, opened } = openDue(limit, now)
  const cap = capOf(current)
  const least = ask.prompt + Math.min(ask.completion, ask.floor)
  const { used, held, periodEnd } = current
  if (used + least > cap)
    return { admission: { _tag: "Exhausted", used, limit: cap, periodEnd }, limit: current, opened }
  if (used + held + least > cap) return { admission: { _tag: "Busy", limit: cap, periodEnd }, limit: current, opened }
  const size = ask.prompt + Math.min(ask.completion, cap - used - held - ask.prompt)
  return { ...grant({ ...current, held: held + size }, ask, { period: current.period, ask: size }), opened }
}

const grant = (limit: Limit, ask: Ask, open: OpenHold): { readonly admission: Admission; readonly limit: Limit } => {
  const { customerId, requestId, attempt } = ask
  const cap = capOf(limit)
  return {
    admission: {
      _tag: "Admitted",
      hold: { customerId, requestId, attempt, period: open.period, ask: open.ask },
      completion: open.ask - ask.prompt,
      remaining: cap - limit.used - limit.held,
      limit: cap,
      periodEnd: limit.periodEnd,
      tier: limit.terms.tier,
    },
    limit,
  }
}
