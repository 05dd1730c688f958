/** The fields of the hash `limit:{<id>}`. Amounts and epoch ms as decimal integers, flags as 0 or 1. */
import type { Limit } from "../../Allowance/Limit.ts"
import type { AllowanceTerms } from "../../Allowance.ts"
import { TierId } from "../../Tiers.ts"

type Fields = Readonly<Record<string, string | number>>

/** Each field followed by its value, as HSET takes them. */
export const pairs = (fields: Fields): ReadonlyArray<string | number> => Object.entries(fields).flat()

export const tokensField = (terms: AllowanceTerms): string => terms.tokens.join(",")

/** The terms that no script computes with before it writes them. */
export const plainFields = ({ tier, serviceUntil, paused, blocked }: AllowanceTerms): Fields => ({
  tier,
  serviceUntil,
  paused: paused ? 1 : 0,
  blocked: blocked ? 1 : 0,
})

/** All but tokens and held, which the rebuild script writes itself. A period not opened yet has no plan. */
export const fieldsOf = ({ rev, terms, period, periodEnd, packs, used, older, ahead }: Limit): Fields => {
  const { plan, nextPlan, anchor } = terms
  const numbers = { rev, period, periodEnd, packs, used, plan, nextPlan, anchor }
  const fields: Record<string, string | number> = {
    ...plainFields(terms),
    ...numbers,
  }
  for (const [number, early] of Object.entries(ahead)) fields[`used:${number}`] = early
  for (const [number, closed] of Object.entries(older)) {
    fields[`used:${number}`] = closed.used
    fields[`plan:${number}`] = closed.plan
  }
  return fields
}

/** Undefined when there is no hash. */
export const limitFrom = (hash: Readonly<Record<string, string>>): Limit | undefined => {
  if (hash["rev"] === undefined) return undefined
  const number = (field: string): number => Number(hash[field] ?? 0)
  const older: Record<number, { used: number; plan: number }> = {}
  const ahead: Record<number, number> = {}
  for (const field of Object.keys(hash)) {
    const period = /^used:(\d+)$/.exec(field)?.[1]
    if (period === undefined) continue
    if (hash[`plan:${period}`] === undefined) ahead[Number(period)] = number(field)
    else older[Number(period)] = { used: number(field), plan: number(`plan:${period}`) }
  }
  return {
    rev: number("rev"),
    terms: {
      tier: TierId.make(hash["tier"] as TierId),
      plan: number("plan"),
      nextPlan: number("nextPlan"),
      anchor: number("anchor"),
      serviceUntil: number("serviceUntil"),
      paused: hash["paused"] === "1",
      blocked: hash["blocked"] === "1",
      tokens: (hash["tokens"] ?? "").split(",").filter((token) => token !== ""),
    },
    period: number("period"),
    periodEnd: number("periodEnd"),
    packs: number("packs"),
    used: number("used"),
    held: number("held"),
    older,
    ahead,
  }
}
