/**
 * A second, naive account of the allowance for the property suite: it remembers everything for ever, knows one customer
 * whose periods end on the last of each month, and shares no code with the rule that it checks.
 */
import type { Admission, AllowanceTerms, AllowanceView, Ask, Hold, Settled } from "../../Allowance.ts"

export interface Call {
  readonly hold: Hold
  open: boolean
  expiresAt: number
  end: "settled" | "lost" | "released" | undefined
  endedAt: number
}

export interface Model {
  now: number
  rev: number
  terms: AllowanceTerms
  period: number
  packs: number
  /** By period. */
  used: Record<number, number>
  plans: Record<number, number>
  background: Record<number, number>
  /** What was charged, by UTC day. */
  days: Record<number, number>
  /** What ops have stopped. */
  stopped: Set<string>
  calls: Record<string, Call>
  /** What the stream should have been told, in order; that a limit is used up, once for each. */
  told: Array<string>
}

/** Period 0 ends on 31 January 2026, 08:00. */
export const endOf = (period: number): number => Date.UTC(2026, period + 1, 0, 8)

export const initial = (now: number, terms: AllowanceTerms, packs: number): Model => ({
  now,
  rev: 1,
  terms,
  period: 0,
  packs,
  used: { 0: 0 },
  plans: { 0: terms.plan },
  background: {},
  days: {},
  stopped: new Set(),
  calls: {},
  told: [],
})

const usedIn = (model: Model, period: number): number => model.used[period] ?? 0
const planOf = (model: Model, period: number): number => model.plans[period] ?? 0
const excess = (model: Model, period: number): number => Math.max(0, usedIn(model, period) - planOf(model, period))

const backgroundIn = (model: Model, period: number): number => model.background[period] ?? 0
export const dayNow = (model: Model): number => Math.floor(model.now / 86_400_000)
const usedToday = (model: Model): number => model.days[dayNow(model)] ?? 0

const sumOf = (calls: ReadonlyArray<Call>): number => calls.reduce((sum, call) => sum + call.hold.ask, 0)
const openOf = (model: Model): ReadonlyArray<Call> => Object.values(model.calls).filter((call) => call.open)
const heldIn = (model: Model): number => sumOf(openOf(model))
const backgroundHeldIn = (model: Model): number => sumOf(openOf(model).filter((call) => call.hold.background))

const open = (model: Model): void => {
  model.packs = Math.max(0, model.packs - excess(model, model.period))
  model.period += 1
  model.plans[model.period] = model.terms.nextPlan
  model.terms = { ...model.terms, plan: model.terms.nextPlan }
  model.told.push(`period ${model.period} until ${endOf(model.period)} with ${model.terms.plan}`)
}

const openDue = (model: Model): void => {
  while (model.now >= endOf(model.period) && model.now < model.terms.serviceUntil) open(model)
}

export const admit = (model: Model, ask: Ask): Admission => {
  const { customerId, requestId, attempt, background, prompt, completion, floor } = ask
  const key = `${requestId}:${attempt}`
  const answer = (call: Call): Admission => {
    const limit = model.terms.plan + model.packs
    return {
      _tag: "Admitted",
      hold: call.hold,
      completion: call.hold.ask - prompt,
      remaining: limit - usedIn(model, model.period) - heldIn(model),
      limit,
      periodEnd: endOf(model.period),
      tier: model.terms.tier,
    }
  }
  if (model.terms.paused) return { _tag: "Paused" }
  if (model.stopped.has("all")) return { _tag: "Stopped", what: "all" }
  if (model.stopped.has(`model:${ask.model}`)) return { _tag: "Stopped", what: "model" }
  if (model.stopped.has(`customer:${customerId}`)) return { _tag: "Stopped", what: "customer" }
  const before = model.calls[key]
  if (before?.open === true) return answer(before)
  if (before?.end !== undefined) return { _tag: "Ended" }
  if (model.now >= endOf(model.period) && model.now >= model.terms.serviceUntil)
    return { _tag: "Lapsed", serviceUntil: model.terms.serviceUntil }
  openDue(model)
  const limit = model.terms.plan + model.packs
  const used = usedIn(model, model.period)
  const periodEnd = endOf(model.period)
  const needed = prompt + Math.min(completion, floor)
  if (needed > limit - used) {
    const line = `exhausted ${model.period} at ${limit}`
    if (!model.told.includes(line)) model.told.push(line)
    return { _tag: "Exhausted", used, limit, periodEnd }
  }
  const { dailyCap, backgroundCap } = model.terms
  const leftToday = dailyCap === null ? limit : dailyCap - usedToday(model)
  if (needed > leftToday)
    return { _tag: "DailyCapped", cap: dailyCap ?? 0, resetsAt: (dayNow(model) + 1) * 24 * 60 * 60_000 }
  const leftToBackground = background ? backgroundCap - backgroundIn(model, model.period) : limit
  if (needed > leftToBackground) return { _tag: "BackgroundCapped", cap: backgroundCap, periodEnd }
  const held = heldIn(model)
  const rooms = [limit - used - held]
  if (dailyCap !== null) rooms.push(leftToday - held)
  if (background) rooms.push(leftToBackground - backgroundHeldIn(model))
  const free = Math.min(...rooms)
  if (needed > free) return { _tag: "Busy", limit, periodEnd }
  const size = prompt + completion > free ? free : prompt + completion
  const call: Call = {
    hold: { customerId, requestId, attempt, period: model.period, ask: size, background },
    open: true,
    expiresAt: model.now + 90_000,
    end: undefined,
    endedAt: 0,
  }
  model.calls[key] = call
  return answer(call)
}

const charge = (model: Model, { period, background }: Hold, tokens: number): void => {
  model.days[dayNow(model)] = usedToday(model) + tokens
  if (background) model.background[period] = backgroundIn(model, period) + tokens
  const before = excess(model, period)
  model.used[period] = usedIn(model, period) + tokens
  if (period < model.period) model.packs = Math.max(0, model.packs - (excess(model, period) - before))
}

const end = (model: Model, call: Call, how: Call["end"]): void => {
  call.open = false
  call.end = how
  call.endedAt = model.now
}

export const settle = (model: Model, call: Call, tokens: number): Settled => {
  if (call.end === "settled") return "repeat"
  const result = call.end === "lost" ? "corrected" : "settled"
  end(model, call, "settled")
  charge(model, call.hold, tokens)
  model.told.push(`${result} ${call.hold.requestId}:${call.hold.attempt} ${tokens}`)
  return result
}

export const release = (model: Model, call: Call): void => end(model, call, call.end ?? "released")

export const renew = (model: Model, call: Call): void => {
  if (!call.open && (call.end === "settled" || call.end === "released")) return
  call.open = true
  call.expiresAt = model.now + 90_000
}

/** Oldest expiry first is not promised, so what is lost in one sweep is told as a set, sorted. */
export const sweep = (model: Model): number => {
  const expired = Object.values(model.calls).filter((call) => call.open && call.expiresAt <= model.now)
  const lost = expired.filter((call) => call.end !== "lost")
  for (const call of expired) end(model, call, "lost")
  model.told.push(...lost.map(({ hold }) => `lost ${hold.requestId}:${hold.attempt} ${hold.ask}`).sort())
  return expired.length
}

/** A change that knows the period that stands, or the next one, which billing has just opened. */
export const change = (model: Model, terms: AllowanceTerms, packsDelta: number, opensNext: boolean): void => {
  model.rev += 1
  model.terms = { ...terms, plan: model.terms.plan }
  if (opensNext) open(model)
  model.terms = terms
  model.plans[model.period] = terms.plan
  model.packs = Math.max(0, model.packs + packsDelta)
}

export const view = (model: Model): AllowanceView => {
  const copy = structuredClone(model)
  openDue(copy)
  const { rev, terms, period, packs } = copy
  return {
    rev,
    terms,
    period,
    periodEnd: endOf(period),
    packs,
    used: usedIn(copy, period),
    held: heldIn(copy),
    background: backgroundIn(copy, period),
    heldBackground: backgroundHeldIn(copy),
    today: { day: dayNow(copy), used: usedToday(copy) },
    limit: terms.plan + packs,
  }
}
