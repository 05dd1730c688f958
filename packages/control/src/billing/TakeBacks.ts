/**
 * Tokens that go back with the money: of what a payment bought, the share that was refunded or disputed, as far as it is
 * unused; and back again when a dispute is won. Joins the caller's transaction.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { Allowances } from "./Allowances.ts"
import { bought, isFor, type Payment, type Purchased, settle, type Settlement, type Span } from "./Grants.ts"
import * as Ledger from "./Ledger.ts"
import type { InvoiceRow } from "./Projection.ts"

/** The running period as it stands, with what is used of it. */
export interface Running extends Span {
  readonly period: number
  readonly plan: number
  readonly packs: number
  readonly used: number
}

export interface Standing {
  readonly running: Running
  readonly invoices: ReadonlyArray<InvoiceRow>
  /** Of subscriptions that the customer had before. */
  readonly former: ReadonlyArray<InvoiceRow>
  readonly payments: ReadonlyArray<Payment>
}

interface Pack {
  readonly paymentId: string
  readonly tokens: number
}

const ofPacks = (tokens: number, { plan, packs, used }: Running): Purchased => ({
  pool: "packs",
  tokens,
  unused: Math.min(packs, plan + packs - used),
})

/** What a payment bought; undefined for one that nothing mirrored is paid by, so far. */
const purchasedBy = (
  payment: Payment,
  { running, invoices, former }: Standing,
  packs: ReadonlyArray<Pack>,
): Purchased | undefined => {
  const pack = packs.find(({ paymentId }) => paymentId === payment.id)
  if (pack !== undefined) return ofPacks(pack.tokens, running)
  const invoice = [...invoices, ...former].find(({ paymentId }) => paymentId === payment.id)
  if (invoice === undefined) return undefined
  if (invoice.grantedPool === "packs") return ofPacks(invoice.granted ?? 0, running)
  if (former.includes(invoice) || !isFor(invoice, running)) return ofPacks(0, running)
  const own = bought(invoices, running).find((one) => one.invoice.id === invoice.id)
  return { pool: "plan", tokens: own?.tokens ?? 0, unused: running.plan - running.used }
}

const tell = Effect.fn("TakeBacks.tell")(function* (customerId: CustomerId, payment: Payment, moved: Settlement) {
  const events = yield* CustomerEvents
  const { id, refunded, disputed, settled } = payment
  const tokens = Math.max(0, -moved.tokens)
  if (refunded > 0)
    yield* events.append(customerId, `refunded:${id}:${refunded}`, {
      _tag: "payment.refunded",
      cents: refunded,
      tokens,
    })
  if (disputed > 0)
    yield* events.append(customerId, `disputed:${id}:${disputed}`, {
      _tag: "payment.disputed",
      cents: disputed,
      tokens,
      over: false,
    })
  else if (moved.settled < settled)
    yield* events.append(customerId, `disputed:${id}:over:${settled}`, {
      _tag: "payment.disputed",
      cents: settled - moved.settled,
      tokens: 0,
      over: true,
    })
})

const apply = (running: Running, pool: Purchased["pool"], tokens: number): Running =>
  pool === "plan" ? { ...running, plan: running.plan + tokens } : { ...running, packs: running.packs + tokens }

/** Settles every payment of which something went back or came back since the last time. */
export const settleAll = Effect.fn("TakeBacks.settleAll")(function* (customerId: CustomerId, standing: Standing) {
  if (standing.payments.every(({ refunded, disputed, settled }) => refunded + disputed === settled)) return
  const sql = yield* SqlClient
  const allowances = yield* Allowances
  const packs = yield* sql<Pack>`
    SELECT payment_id AS "paymentId", tokens FROM packs WHERE account_id = ${customerId} AND payment_id IS NOT NULL`
  let { running } = standing
  for (const payment of standing.payments) {
    const purchased = purchasedBy(payment, { ...standing, running }, packs)
    const moved = purchased === undefined ? undefined : settle(payment, purchased)
    if (purchased === undefined || moved === undefined) continue
    const { pool } = purchased
    yield* sql`UPDATE payments SET settled = ${moved.settled}, taken = ${moved.taken} WHERE id = ${payment.id}`
    if (moved.tokens !== 0) {
      const { period } = running
      // What one amount took and a smaller one gave back may be taken again: the number of entries tells them apart.
      const [{ before } = { before: 0 }] = yield* sql<{ readonly before: number }>`
        SELECT count(*) AS before FROM ledger_entries
        WHERE customer_id = ${customerId} AND source_id LIKE ${`back:${payment.id}:%`}`
      const sourceId = `back:${payment.id}:${moved.settled}:${before}`
      yield* Ledger.write({ sourceId, customerId, period, pool, tokens: moved.tokens })
      running = apply(running, pool, moved.tokens)
    }
    yield* tell(customerId, payment, moved)
  }
  const { plan, packs: pool } = running
  yield* allowances.change(customerId, { plan, packs: pool })
})
