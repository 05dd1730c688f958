/** When a customer is told that a renewal can't be charged. Pure. Instants are epoch ms. */

/** Days after the renewal was due. */
export const days = [0, 3, 7, 13] as const
export type Day = (typeof days)[number]

const dayMillis = 86_400_000

/** The day whose words are due now, if they were not told: whoever is told late is told once, by the latest. */
export const dueDay = (paidUntil: number, now: number, told: Day | undefined): Day | undefined => {
  const latest = days.findLast((day) => now >= paidUntil + day * dayMillis) ?? 0
  return told !== undefined && told >= latest ? undefined : latest
}
