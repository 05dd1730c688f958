/** The fields of the hash `limit:{<id>}`. Amounts, days and epoch ms as decimal integers, flags as 0 or 1, no cap as "". */
import type { Limit } from "../../Allowance/Limit.ts"
import type { AllowanceTerms } from "../../Allowance.ts"
import { TierId } from "../../Tiers.ts"

type Fields = Readonly<Record<string, string | number>>

/** Each field followed by its value, as HSET takes them. */
export const pairs = (fields: Fields): ReadonlyArray<string | number> => Object.entries(fields).flat()

export const tokensField = (terms: AllowanceTerms): string => terms.tokens.join(",")

/** The terms that no script computes with before it writes them. */
export const plainFields = (terms: AllowanceTerms): Fields => ({
  tier: terms.tier,
  serviceUntil: terms.serviceUntil,
  paused: terms.paused ? 1 : 0,
  blocked: terms.blocked ? 1 : 0,
  dailyCap: terms.dailyCap ?? "",
  backgroundCap: terms.backgroundCap,
})

/** All but tokens and what is held, which the rebuild script writes itself. A period not opened yet has no plan. */
export const fieldsOf = (limit: Limit): Fields => {
  const { rev, terms, period, periodEnd, packs, used, background, today, told, older, ahead } = limit
  const { plan, nextPlan, anchor } = terms
  const counted = { packs, used, background, day: today.day, today: today.used }
  const numbers = { rev, period, periodEnd, plan, nextPlan, anchor, ...counted }
  const fields: Record<string, string | number> = {
    ...plainFields(terms),
    ...numbers,
  }
  if (told !== undefined) fields["told"] = `${told.period}:${told.limit}`
  for (const [number, early] of Object.entries(ahead)) {
    fields[`used:${number}`] = early.used
    fields[`background:${number}`] = early.background
  }
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
  const ahead: Record<number, { used: number; background: number }> = {}
  for (const field of Object.keys(hash)) {
    const period = /^used:(\d+)$/.exec(field)?.[1]
    if (period === undefined) continue
    if (hash[`plan:${period}`] === undefined)
      ahead[Number(period)] = { used: number(field), background: number(`background:${period}`) }
    else older[Number(period)] = { used: number(field), plan: number(`plan:${period}`) }
  }
  const told = /^(\d+):(\d+)$/.exec(hash["told"] ?? "")
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
      dailyCap: (hash["dailyCap"] ?? "") === "" ? null : number("dailyCap"),
      backgroundCap: number("backgroundCap"),
      tokens: (hash["tokens"] ?? "").split(",").filter((token) => token !== ""),
    },
    period: number("period"),
    periodEnd: number("periodEnd"),
    packs: number("packs"),
    used: number("used"),
    held: number("held"),
    background: number("background"),
    heldBackground: number("heldBackground"),
    today: { day: number("day"), used: number("today") },
    told: told === null ? undefined : { period: Number(told[1]), limit: Number(told[2]) },
    older,
    ahead,
  }
}
