/**
 * Tells customers how much of the period's tokens is used, in the transaction that books the usage: an event for their
 * pages and conversations, and a mail. Berth's own account is told nothing.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { Mails } from "../notify/Mails.ts"
import { type Balance, decide, type Refused, sourceIdOf } from "./UsageAlert.ts"

/** A balance as the ledger has it, and whom it concerns. */
export interface Standing extends Balance {
  readonly customerId: CustomerId
  readonly isCustomer: boolean
  readonly email: string | null
  /** End of the period, epoch ms. */
  readonly resetsAt: number
}

export type Standings = ReadonlyMap<CustomerId, Standing>

/** How these customers stand; those without an allowance are left out. */
export const standings = Effect.fn("Alerts.standings")(function* (customers: ReadonlyArray<CustomerId>) {
  if (customers.length === 0) return new Map<CustomerId, Standing>()
  const sql = yield* SqlClient
  const rows = yield* sql<Standing>`
    SELECT a.customer_id AS "customerId", c.kind = 'customer' AS "isCustomer", c.email, p.number::bigint AS period,
      p.ends_at AS "resetsAt", a.plan + a.packs AS "limit",
      (SELECT coalesce(sum(charged), 0)::bigint FROM usage_days d
       WHERE d.customer_id = a.customer_id AND d.period = p.number) AS used
    FROM allowances a JOIN accounts c ON c.id = a.customer_id
    JOIN LATERAL (SELECT number, ends_at FROM allowance_periods p
                  WHERE p.customer_id = a.customer_id ORDER BY number DESC LIMIT 1) p ON true
    WHERE ${sql.in("a.customer_id", customers)}`
  return new Map(rows.map((row) => [row.customerId, row]))
})

/**
 * Tells whoever passed a mark since `before`, or was refused for want of tokens; who was told. Joins the caller's
 * transaction; announce their events after it.
 */
export const tell = Effect.fn("Alerts.tell")(function* (
  before: Standings,
  refusals: ReadonlyArray<Refused & { readonly customerId: CustomerId }>,
) {
  const events = yield* CustomerEvents
  const mails = yield* Mails
  const told: Array<CustomerId> = []
  for (const [customerId, after] of yield* standings([...before.keys()])) {
    const earlier = before.get(customerId)
    if (earlier === undefined || !after.isCustomer) continue
    const own = refusals.filter((refusal) => refusal.customerId === customerId)
    const alert = decide(earlier, after, own)
    if (alert === undefined) continue
    const { percent, used, limit, period } = alert
    const { email, resetsAt } = after
    const event = { _tag: "usage.alert", percent, used, limit, period, resetsAt } as const
    if (!(yield* events.append(customerId, sourceIdOf(customerId, alert), event))) continue
    if (email !== null) yield* mails.alert(customerId, email, alert, resetsAt)
    told.push(customerId)
  }
  return told
})
