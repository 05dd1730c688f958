/**
 * Moves the balances in Postgres by the very rule that moves them in the proxies' store: a customer's limit is read from the
 * ledger, folded, and what the fold changed is written back. Everything here joins the caller's transaction.
 */
import * as Limits from "@berth/domain/Allowance/Limit"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import type { CustomerId } from "@berth/domain/Ids"
import { type SoldTierId, type TierId, tiers } from "@berth/domain/Tiers"
import { Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import { isProvisional, type Term } from "./ServiceTerm.ts"

/**
 * Locks these customers' rows, accounts first like every other transaction about a customer, so that none deadlocks; those
 * of them that exist.
 */
export const lock = Effect.fn("Balances.lock")(function* (customers: ReadonlyArray<CustomerId>) {
  if (customers.length === 0) return []
  const sql = yield* SqlClient
  const known = yield* sql<{ readonly id: CustomerId }>`
    SELECT id FROM accounts WHERE ${sql.in("id", customers)} ORDER BY id FOR NO KEY UPDATE`
  yield* sql`SELECT 1 FROM allowances WHERE ${sql.in("customer_id", customers)} ORDER BY customer_id FOR UPDATE`
  return known.map(({ id }) => id)
})

/** The limit as the ledger has it, or undefined for a customer without allowance. */
export const load = Effect.fn("Balances.load")(function* (customerId: CustomerId) {
  const source = yield* AllowanceSource
  const snapshot = yield* source.snapshot(customerId)
  return Option.isNone(snapshot) ? undefined : Limits.fromSnapshot(snapshot.value, [])
})

/** What the fold changed beside the ledger. Redis made the same change by itself, so it gets no number of its own. */
export const save = Effect.fn("Balances.save")(function* (customerId: CustomerId, limit: Limits.Limit) {
  const sql = yield* SqlClient
  yield* sql`UPDATE allowances SET plan = ${limit.terms.plan}, packs = ${limit.packs} WHERE customer_id = ${customerId}`
})

/** The period's row; its grant is the ledger entry with the same source id, written first. */
export const addPeriod = Effect.fn("Balances.addPeriod")(function* (customerId: CustomerId, opened: Limits.Opened) {
  const sql = yield* SqlClient
  const [term] = yield* sql<Term>`
    SELECT paid_until AS "paidUntil", cancel_at AS "cancelAt" FROM subscriptions WHERE account_id = ${customerId}
    ORDER BY paid_until DESC LIMIT 1`
  const provisional = term !== undefined && isProvisional(opened.endsAt, term)
  yield* sql`
    INSERT INTO allowance_periods (customer_id, number, starts_at, ends_at, plan, provisional)
    VALUES (${customerId}, ${opened.period}, ${opened.startsAt}, ${opened.endsAt}, ${opened.plan}, ${provisional})`
  yield* compareWithInvoices(customerId, opened)
})

/** A period may open with another plan than its invoice, known before, is for: billing then looks at the customer again. */
const compareWithInvoices = Effect.fn("Balances.compareWithInvoices")(function* (
  customerId: CustomerId,
  { period, startsAt, endsAt, plan }: Limits.Opened,
) {
  const sql = yield* SqlClient
  const work = yield* Work
  const middle = Math.floor((startsAt + endsAt) / 2)
  const known = yield* sql<{ readonly tier: SoldTierId | null; readonly running: TierId }>`
    SELECT i.tier, a.tier AS running FROM invoices i JOIN allowances a ON a.customer_id = i.account_id
    WHERE i.account_id = ${customerId} AND i.period_start <= ${middle} AND i.period_end > ${middle}`
  const isOther = known.some(
    ({ tier, running }) => tier !== null && (tier !== running || tiers[tier].monthlyTokens !== plan),
  )
  if (!isOther) return
  const id = `stripe:project:${customerId}:${period}`
  yield* work.offer({ id, queue: "stripe", lane: customerId, payload: { _tag: "project", customerId } })
})
