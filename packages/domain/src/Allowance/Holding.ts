/**
 * The life of one hold: settled, given back, renewed or given up as lost. Pure; the scripts of the Redis layer do the
 * same. Invariant: each (request, attempt) is charged once, and `held` falls only by a hold that was still there.
 */
import type { Hold, Settled, Settlement } from "../Allowance.ts"
import { priceVersion } from "../Tiers.ts"
import { chargeOf, type UsageEvent } from "../Usage.ts"
import { charge, type Charge, type Limit, type Opened } from "./Limit.ts"

/** A hold lives this long unless it is renewed. */
export const holdMillis = 90_000
/** The sweeper waits this long after the store came (back), so that the holds' owners can renew first. */
export const sweepPatienceMillis = 30_000
/** For so long a repeated or late settlement is recognised. */
export const markerMillis = 86_400_000

export interface OpenHold {
  readonly period: number
  readonly ask: number
  readonly background: boolean
}

/** How a (request, attempt) ended. Only `lost` and `released` may still become `settled`. */
export type Marker = "settled" | "lost" | "released"

/** What stands about one (request, attempt). No limit: the customer's hash is absent, and a rebuild will count from holds and events. */
export interface Holding {
  readonly limit: Limit | undefined
  readonly open: OpenHold | undefined
  readonly marker: Marker | undefined
}

/** What an open hold takes; `by` 1 as it is taken, -1 as it is given back. */
export const hold = (limit: Limit, { ask, background }: Omit<OpenHold, "period">, by: 1 | -1): Limit => ({
  ...limit,
  held: limit.held + by * ask,
  heldBackground: limit.heldBackground + (background ? by * ask : 0),
})

const give = (limit: Limit, open: OpenHold | undefined): Limit => (open === undefined ? limit : hold(limit, open, -1))

const chargeAt = ({ hold: { period, background }, usage }: Settlement, at: number): Charge => ({
  period,
  background,
  charge: chargeOf(usage),
  at,
})

/** Settled once, whether its hold is still open, gone, or was given up before. */
export const settle = (
  { limit, open, marker }: Holding,
  settlement: Settlement,
  now: number,
): { readonly result: Settled; readonly holding: Holding } =>
  marker === "settled"
    ? { result: "repeat", holding: { limit, open, marker } }
    : {
        result: marker === "lost" ? "corrected" : "settled",
        holding: {
          limit: limit === undefined ? undefined : charge(give(limit, open), chargeAt(settlement, now)),
          open: undefined,
          marker: "settled",
        },
      }

/** The upstream was never called. The marker keeps a renewal under way from putting the hold back. */
export const release = ({ limit, open, marker }: Holding): Holding => ({
  limit: limit === undefined ? undefined : give(limit, open),
  open: undefined,
  marker: marker ?? "released",
})

/** Keeps a hold open; one that is missing comes back unless its call has ended. Undefined: nothing is to be kept. */
export const renew = ({ limit, open, marker }: Holding, renewed: Hold): Holding | undefined => {
  if (open !== undefined) return { limit, open, marker }
  if (marker === "settled" || marker === "released") return undefined
  const { period, ask, background } = renewed
  return {
    limit: limit === undefined ? undefined : hold(limit, renewed, 1),
    open: { period, ask, background },
    marker,
  }
}

/** A hold that ran out charges nothing. One that was lost before, came back and ran out again is not reported twice. */
export const expire = ({ limit, open, marker }: Holding): { readonly lost: boolean; readonly holding: Holding } => ({
  lost: marker !== "lost" && marker !== "settled",
  holding: {
    limit: limit === undefined ? undefined : give(limit, open),
    open: undefined,
    marker: marker === "settled" ? "settled" : "lost",
  },
})

/** What a settlement says, whatever becomes of it. */
export const usageFacts = ({ hold, model, usage, estimated, traceId }: Settlement) => ({
  requestId: hold.requestId,
  attempt: hold.attempt,
  model,
  usage,
  charge: chargeOf(usage),
  background: hold.background,
  estimated,
  priceVersion,
  traceId,
})

export const usageEvent = (settlement: Settlement, result: "settled" | "corrected", at: number): UsageEvent => ({
  _tag: result === "settled" ? "usage" : "correction",
  customerId: settlement.hold.customerId,
  at,
  period: settlement.hold.period,
  ...usageFacts(settlement),
})

export const lostEvent = ({ background: _, ...hold }: Hold, at: number): UsageEvent => ({ _tag: "lost", ...hold, at })

export const periodEvent = (customerId: Hold["customerId"], opened: Opened, at: number): UsageEvent => ({
  _tag: "period",
  customerId,
  at,
  ...opened,
})
