/**
 * How long a customer is served. Pure, and a function of what was paid and canceled alone, so that events may come in any
 * order. Grace is for renewals that are not paid yet; a cancellation ends service when it takes effect.
 */

/** A renewal invoice stays in draft for about an hour, and a card may need days to be put right. */
export const graceMillis = 14 * 86_400_000

export interface Term {
  /** End of the latest paid period, epoch ms. */
  readonly paidUntil: number
  /** When a cancellation takes, or took, effect. */
  readonly cancelAt: number | null
}

/** No further period opens after this, epoch ms. A cancellation set for later pays for nothing until then. */
export const serviceUntil = ({ paidUntil, cancelAt }: Term): number =>
  Math.min(cancelAt ?? Number.POSITIVE_INFINITY, paidUntil + graceMillis)

/** Whether a period opened before it was paid for: its grant stands, but may yet be reversed. */
export const isProvisional = (periodEnd: number, term: Term): boolean => periodEnd > term.paidUntil
