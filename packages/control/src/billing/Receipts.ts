/** Tells customers of the money that came in, once for each invoice and pack. Joins the caller's transaction. */
import type { CustomerId } from "@berth/domain/Ids"
import type { PackId } from "@berth/domain/Packs"
import type { SoldTierId } from "@berth/domain/Tiers"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"

interface Paid {
  readonly id: string
  readonly what: "create" | "cycle" | "update" | "pack"
  readonly cents: number
  readonly tier: SoldTierId | null
  readonly pack: PackId | null
  readonly periodEnd: number | null
  readonly invoiceUrl: string | null
}

export const tell = Effect.fn("Receipts.tell")(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const events = yield* CustomerEvents
  const untold = yield* sql<Paid>`
    SELECT id, reason AS what, amount_paid AS cents, tier, NULL AS pack, period_end AS "periodEnd",
      page_url AS "invoiceUrl"
    FROM invoices i
    WHERE account_id = ${customerId} AND status = 'paid' AND amount_paid > 0 AND reason <> 'other'
      AND NOT EXISTS (SELECT 1 FROM customer_events e WHERE e.source_id = 'paid:' || i.id)
    UNION ALL
    SELECT id, 'pack', cents, NULL, pack, NULL, NULL FROM packs p
    WHERE account_id = ${customerId} AND status = 'paid'
      AND NOT EXISTS (SELECT 1 FROM customer_events e WHERE e.source_id = 'paid:' || p.id)
    ORDER BY 6 NULLS LAST, 1`
  for (const { id, ...received } of untold)
    yield* events.append(customerId, `paid:${id}`, { _tag: "payment.received", ...received })
})
