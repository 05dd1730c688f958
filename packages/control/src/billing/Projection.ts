/**
 * Brings what we decide about a customer to what the mirror says: how long they are served, the running period's plan and
 * tier, packs, what is taken back, and what they are told of it. Computed anew from everything that is known and written only
 * where it differs, so that it does not matter what was learnt when. Joins the caller's transaction, which holds the account.
 */
import type { CustomerId } from "@berth/domain/Ids"
import { type SoldTierId, type TierId, tiers } from "@berth/domain/Tiers"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { Agents } from "../provision/Agents.ts"
import { Allowances } from "./Allowances.ts"
import * as Balances from "./Balances.ts"
import { bought, buysTime, paidOf, type Invoice, type Payment, type Span } from "./Grants.ts"
import * as Ledger from "./Ledger.ts"
import * as Periods from "./Periods.ts"
import * as Receipts from "./Receipts.ts"
import { graceMillis } from "./ServiceTerm.ts"
import * as TakeBacks from "./TakeBacks.ts"

interface Subscription {
  readonly id: string
  readonly tier: SoldTierId
  readonly nextTier: SoldTierId | null
  readonly anchor: number
  readonly cancelAt: number | null
  readonly paidUntil: number
  readonly lapsedAt: number | null
}

/** A mirrored invoice, and what it added if it is an upgrade's. */
export interface InvoiceRow extends Invoice {
  readonly subscriptionId: string
  readonly granted: number | null
  readonly grantedPool: "plan" | "packs" | null
}

/**
 * The subscription that the account's paid order lives by with its invoices, those of subscriptions before it, and the
 * account's payments.
 */
const gather = Effect.fn("Projection.gather")(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const [subscription] = yield* sql<Subscription>`
    SELECT s.id, s.tier, s.next_tier AS "nextTier", s.anchor, s.cancel_at AS "cancelAt", s.paid_until AS "paidUntil",
      s.lapsed_at AS "lapsedAt"
    FROM subscriptions s JOIN orders o ON o.subscription_id = s.id
    WHERE s.account_id = ${customerId} AND o.status = 'paid'`
  const all = yield* sql<InvoiceRow>`
    SELECT id, subscription_id AS "subscriptionId", reason, status, tier, period_start AS "periodStart", period_end AS "periodEnd",
      amount_paid AS "amountPaid", payment_id AS "paymentId", granted, granted_pool AS "grantedPool"
    FROM invoices WHERE account_id = ${customerId} ORDER BY period_end DESC, id`
  const payments = yield* sql<Payment>`
    SELECT id, amount, refunded, disputed, settled, taken FROM payments WHERE account_id = ${customerId}`
  const isRunning = ({ subscriptionId }: InvoiceRow) => subscriptionId === subscription?.id
  return { subscription, invoices: all.filter(isRunning), former: all.filter((one) => !isRunning(one)), payments }
})

/** How long is paid, and with it until when the customer is served. */
const moveTerm = Effect.fn("Projection.moveTerm")(function* (
  customerId: CustomerId,
  subscription: Subscription,
  invoices: ReadonlyArray<InvoiceRow>,
  payments: ReadonlyArray<Payment>,
) {
  const sql = yield* SqlClient
  const allowances = yield* Allowances
  // Booked, but its first invoice is not fetched yet: what the booking said stands.
  const isKnown = invoices.some(buysTime)
  const { paidUntil, servedUntil } = isKnown
    ? paidOf(subscription.anchor, invoices, payments)
    : { paidUntil: subscription.paidUntil, servedUntil: subscription.paidUntil + graceMillis }
  const serviceUntil = Math.min(subscription.cancelAt ?? Number.POSITIVE_INFINITY, servedUntil)
  if (paidUntil !== subscription.paidUntil)
    yield* sql`UPDATE subscriptions SET paid_until = ${paidUntil} WHERE id = ${subscription.id}`
  yield* sql`
    UPDATE allowance_periods SET provisional = false
    WHERE customer_id = ${customerId} AND provisional AND ends_at <= ${paidUntil}`
  const { nextTier, anchor } = subscription
  const nextPlan = nextTier === null ? {} : { nextPlan: tiers[nextTier].monthlyTokens }
  yield* allowances.change(customerId, { serviceUntil, anchor, ...nextPlan })
  return { serviceUntil }
})

/** Upgrades whose period is over when they are learnt of: what was paid for is granted as a pack. */
const grantLate = Effect.fn("Projection.grantLate")(function* (
  customerId: CustomerId,
  invoices: ReadonlyArray<InvoiceRow>,
  running: Span & { readonly period: number },
) {
  const sql = yield* SqlClient
  let granted = 0
  for (const { id, reason, status, granted: before, periodStart, periodEnd } of invoices) {
    if (reason !== "update" || status !== "paid" || before !== null || periodEnd > running.startsAt) continue
    const added = bought(invoices, { startsAt: periodStart, endsAt: periodEnd }).find(
      ({ invoice }) => invoice.id === id,
    )
    const tokens = added?.tokens ?? 0
    yield* sql`UPDATE invoices SET granted = ${tokens}, granted_pool = 'packs' WHERE id = ${id}`
    if (tokens === 0) continue
    yield* Ledger.write({ sourceId: `late:${id}`, customerId, period: running.period, pool: "packs", tokens })
    granted += tokens
  }
  return granted
})

/** Packs that are paid and not granted yet. */
const grantPacks = Effect.fn("Projection.grantPacks")(function* (customerId: CustomerId, period: number) {
  const sql = yield* SqlClient
  const now = yield* Clock.currentTimeMillis
  const paid = yield* sql<{ readonly id: string; readonly tokens: number }>`
    UPDATE packs SET paid_at = ${now} WHERE account_id = ${customerId} AND status = 'paid' AND paid_at IS NULL
    RETURNING id, tokens`
  let granted = 0
  for (const { id, tokens } of paid) {
    const isNew = yield* Ledger.write({ sourceId: `pack:${id}`, customerId, period, pool: "packs", tokens })
    if (isNew) granted += tokens
  }
  return granted
})

/** The running period's plan as its invoices say, with what was taken back of it left out. */
const movePlan = Effect.fn("Projection.movePlan")(function* (
  customerId: CustomerId,
  invoices: ReadonlyArray<InvoiceRow>,
  payments: ReadonlyArray<Payment>,
  running: Span & { readonly period: number; readonly plan: number; readonly rev: number; readonly tier: TierId },
) {
  const sql = yield* SqlClient
  const allowances = yield* Allowances
  const agents = yield* Agents
  const events = yield* CustomerEvents
  const own = bought(invoices, running)
  const tier = own.at(-1)?.tier
  if (tier === undefined) return running.plan
  const paymentIds = own.map(({ invoice }) => invoice.paymentId)
  const taken = payments.filter(({ id }) => paymentIds.includes(id)).reduce((sum, one) => sum + one.taken, 0)
  const plan = Math.max(0, tiers[tier].monthlyTokens - taken)
  if (plan !== running.plan) {
    const { period } = running
    const sourceId = `plan:${customerId}:${period}:${running.rev}`
    yield* Ledger.write({ sourceId, customerId, period, pool: "plan", tokens: plan - running.plan })
  }
  if (plan !== running.plan || tier !== running.tier) yield* allowances.change(customerId, { plan, tier })
  yield* agents.change(customerId, { _tag: "Tier", tier }, "billing")
  for (const { invoice, tokens } of own) {
    if (invoice.reason !== "update") continue
    const news = yield* sql`
      UPDATE invoices SET granted = ${tokens}, granted_pool = 'plan' WHERE id = ${invoice.id} AND granted IS NULL
      RETURNING id`
    if (news.length > 0 && invoice.tier !== null)
      yield* events.append(customerId, `plan:${invoice.id}`, { _tag: "plan.changed", tier: invoice.tier, from: null })
  }
  return plan
})

/** Whoever is paid for again is served again, unless their data is being deleted already. */
const resume = Effect.fn("Projection.resume")(function* (
  customerId: CustomerId,
  { id, lapsedAt }: Subscription,
  term: { readonly serviceUntil: number },
) {
  const now = yield* Clock.currentTimeMillis
  if (now >= term.serviceUntil) return
  const sql = yield* SqlClient
  const agents = yield* Agents
  const events = yield* CustomerEvents
  if (lapsedAt !== null) yield* sql`UPDATE subscriptions SET lapsed_at = NULL WHERE id = ${id}`
  const stopped = yield* sql`
    SELECT 1 FROM agents WHERE customer_id = ${customerId} AND desired -> 'suspended' @> '["payment"]'`
  if (stopped.length === 0) return
  const job = yield* agents.change(customerId, { _tag: "Resume", reason: "payment" }, "stripe")
  if (job !== undefined) yield* events.append(customerId, `resumed:${job}`, { _tag: "service.resumed" })
})

/** The running period with what is granted and used in it; undefined for a customer whose agent has not been started. */
const runningOf = Effect.fn("Projection.runningOf")(function* (customerId: CustomerId) {
  const limit = yield* Balances.load(customerId)
  if (limit === undefined) return undefined
  const sql = yield* SqlClient
  const [row] = yield* sql<{ readonly startsAt: number }>`
    SELECT starts_at AS "startsAt" FROM allowance_periods WHERE customer_id = ${customerId} AND number = ${limit.period}`
  const { terms, packs, used, period, periodEnd, rev } = limit
  const startsAt = row?.startsAt ?? periodEnd
  return { period, startsAt, endsAt: periodEnd, plan: terms.plan, packs, used, tier: terms.tier, rev }
})

/** Does nothing for an account that has bought nothing. Announce the customer's events after the transaction. */
export const project = Effect.fn("Projection.project")(function* (customerId: CustomerId) {
  const allowances = yield* Allowances
  const { subscription, invoices, former, payments } = yield* gather(customerId)
  if (subscription === undefined) return
  const term = yield* moveTerm(customerId, subscription, invoices, payments)
  yield* Periods.openDue(customerId, yield* Clock.currentTimeMillis)
  yield* resume(customerId, subscription, term)
  yield* Receipts.tell(customerId)
  const running = yield* runningOf(customerId)
  if (running === undefined) return
  const granted = (yield* grantPacks(customerId, running.period)) + (yield* grantLate(customerId, invoices, running))
  if (granted > 0) yield* allowances.change(customerId, { packs: running.packs + granted })
  const plan = yield* movePlan(customerId, invoices, payments, running)
  yield* TakeBacks.settleAll(customerId, {
    running: { ...running, plan, packs: running.packs + granted },
    invoices,
    former,
    payments,
  })
})
