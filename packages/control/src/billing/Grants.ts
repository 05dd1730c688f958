/**
 * What an account's invoices and payments come to, in time and tokens. Pure: a function of the mirror alone, so that it does
 * not matter in which order Stripe told it. docs/billing.md says the rules. Instants are epoch ms, money US cents.
 */
import { type SoldTierId, soldTiers, tiers } from "@berth/domain/Tiers"
import type { InvoiceState } from "./Payments.ts"
import { graceMillis } from "./ServiceTerm.ts"

/** A mirrored invoice. */
export type Invoice = Pick<
  InvoiceState,
  "id" | "reason" | "status" | "tier" | "periodStart" | "periodEnd" | "amountPaid" | "paymentId"
>

/** A mirrored payment: what of it went back, and what of that is accounted for. */
export interface Payment {
  readonly id: string
  readonly amount: number
  readonly refunded: number
  readonly disputed: number
  /** Cents that went back and are accounted for. */
  readonly settled: number
  /** Tokens that were taken for them. */
  readonly taken: number
}

export interface Span {
  readonly startsAt: number
  readonly endsAt: number
}

/** Cents of a payment that went back, for now or for good; never more than was paid. */
export const backOf = ({ amount, refunded, disputed }: Payment): number => Math.min(amount, refunded + disputed)

const wentBack = (invoice: Invoice, payments: ReadonlyArray<Payment>): boolean => {
  const payment = payments.find(({ id }) => id === invoice.paymentId)
  return invoice.amountPaid > 0 && payment !== undefined && backOf(payment) >= invoice.amountPaid
}

/** Whether it is what a month is paid by. */
export const buysTime = ({ reason, status }: Invoice): boolean =>
  status === "paid" && (reason === "create" || reason === "cycle")

/** How long is paid, and until when the customer is served if nothing is canceled. */
export interface Paid {
  readonly paidUntil: number
  readonly servedUntil: number
}

export const paidOf = (anchor: number, invoices: ReadonlyArray<Invoice>, payments: ReadonlyArray<Payment>): Paid => {
  const bought = invoices.filter(buysTime)
  const kept = bought.filter((invoice) => !wentBack(invoice, payments))
  const paidUntil = kept.reduce((latest, { periodEnd }) => Math.max(latest, periodEnd), anchor)
  // Grace is for what is not paid yet. Who paid and got it all back is served no longer than what is still paid.
  const isReturned = bought.some((invoice) => wentBack(invoice, payments) && invoice.periodEnd > paidUntil)
  return { paidUntil, servedUntil: paidUntil + (isReturned ? 0 : graceMillis) }
}

/** Whether an invoice is for that period: it covers its middle, whatever a second here and there. */
export const isFor = ({ periodStart, periodEnd }: Invoice, { startsAt, endsAt }: Span): boolean => {
  const middle = (startsAt + endsAt) / 2
  return periodStart <= middle && middle < periodEnd
}

/** An upgrade grants when it is paid; a renewal before that, for its grace. */
const grants = ({ reason, status }: Invoice): boolean =>
  reason === "update" ? status === "paid" : status === "draft" || status === "open" || status === "paid"

const tokensOf = (tier: SoldTierId): number => tiers[tier].monthlyTokens
const rankOf = ({ tier }: Invoice): number => (tier === null ? -1 : soldTiers.indexOf(tier))

/** A period's invoices, each with the tokens that it adds to those before it. */
export const bought = (
  invoices: ReadonlyArray<Invoice>,
  period: Span,
): ReadonlyArray<{ readonly invoice: Invoice; readonly tier: SoldTierId; readonly tokens: number }> => {
  const own = invoices
    .filter((invoice) => isFor(invoice, period) && grants(invoice))
    .toSorted((one, other) => rankOf(one) - rankOf(other))
  let most = 0
  return own.flatMap((invoice) => {
    if (invoice.tier === null) return []
    const tokens = Math.max(0, tokensOf(invoice.tier) - most)
    most += tokens
    return { invoice, tier: invoice.tier, tokens }
  })
}

/** The dearest tier that a period's invoices are for, if there is one. */
export const tierOf = (invoices: ReadonlyArray<Invoice>, period: Span): SoldTierId | undefined =>
  bought(invoices, period).at(-1)?.tier

/** What a payment's money bought, and where it stands. */
export interface Purchased {
  readonly pool: "plan" | "packs"
  /** Tokens that it bought; 0 for what is over. */
  readonly tokens: number
  /** Of the pool, how many are not used yet. */
  readonly unused: number
}

/** How a payment's change moves the pool: negative takes, positive gives back. */
export interface Settlement {
  readonly tokens: number
  readonly settled: number
  readonly taken: number
}

/**
 * Takes the share of what a payment bought that went back, as far as it is unused; gives back what was taken beyond that
 * share. Undefined if nothing changed since it was last settled.
 */
export const settle = (payment: Payment, { tokens, unused }: Purchased): Settlement | undefined => {
  const back = backOf(payment)
  if (back === payment.settled) return undefined
  const share = (cents: number): number =>
    payment.amount === 0 ? 0 : Math.floor((tokens * Math.min(cents, payment.amount)) / payment.amount)
  const moved =
    back > payment.settled
      ? 0 - Math.min(Math.max(0, unused), share(back) - share(payment.settled))
      : Math.max(0, payment.taken - share(back))
  return { tokens: moved, settled: back, taken: payment.taken - moved }
}
