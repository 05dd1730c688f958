/** A customer with an allowance, asks and settlements, for the contract and property suites of the allowance. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import {
  Allowance,
  type AllowanceChange,
  type AllowanceSnapshot,
  type AllowanceTerms,
  type AllowanceView,
  type Ask,
  type Hold,
  type Settlement,
} from "../../Allowance.ts"
import { CustomerId, RequestId } from "../../Ids.ts"
import type { UsageEvent } from "../../Usage.ts"
import { UsageEvents } from "../../UsageEvents.ts"

export const day = 86_400_000
/** When the tests' clock starts: ten days into the first period. */
export const start = Date.UTC(2026, 0, 25, 12)
export const anchor = Date.UTC(2026, 0, 15, 8)
export const firstEnd = Date.UTC(2026, 1, 15, 8)

export const customer = CustomerId.make("ada")

export const terms = (some: Partial<AllowanceTerms> = {}): AllowanceTerms => ({
  tier: "pro",
  plan: 1_000,
  nextPlan: 1_000,
  anchor,
  serviceUntil: start + 365 * day,
  paused: false,
  blocked: false,
  dailyCap: null,
  backgroundCap: 1_000,
  tokens: ["hash-1"],
  ...some,
})

export const snapshot = (some: Partial<AllowanceSnapshot> = {}): AllowanceSnapshot => ({
  customerId: customer,
  rev: 1,
  terms: terms(),
  period: 0,
  periodEnd: firstEnd,
  packs: 0,
  used: 0,
  background: 0,
  today: { day: 0, used: 0 },
  older: [],
  recorded: { epoch: "", cursor: "0-0" },
  ...some,
})

export const change = (some: Partial<AllowanceChange> = {}): AllowanceChange => ({
  customerId: customer,
  rev: 2,
  period: 0,
  terms: terms(),
  packsDelta: 0,
  ...some,
})

export const ask = (request: string, some: Partial<Ask> = {}): Ask => ({
  customerId: customer,
  tokenHash: "hash-1",
  requestId: RequestId.make(request),
  attempt: 1,
  model: "kimi-k2.6",
  background: false,
  prompt: 10,
  completion: 90,
  floor: 20,
  ...some,
})

export const holdOf = (request: string, some: Partial<Hold> = {}): Hold => ({
  customerId: customer,
  requestId: RequestId.make(request),
  attempt: 1,
  period: 0,
  ask: 100,
  background: false,
  ...some,
})

/** Ends a call that used so many tokens, all of them completion. */
export const settlement = (hold: Hold, tokens: number): Settlement => ({
  hold,
  model: "kimi-k2.6",
  usage: { prompt: 0, cached: 0, completion: tokens, reasoning: 0 },
  estimated: false,
  traceId: "",
})

/** Admits or fails the test. */
export const hold = Effect.fn(function* (request: string, some: Partial<Ask> = {}) {
  const allowance = yield* Allowance
  const admission = yield* allowance.admit(ask(request, some))
  if (admission._tag !== "Admitted") return yield* Effect.die(`${request} was not admitted: ${admission._tag}`)
  return admission.hold
})

export const view: Effect.Effect<AllowanceView, unknown, Allowance> = Allowance.use((allowance) =>
  Effect.map(allowance.view(customer), Option.getOrThrow),
)

/** Everything in the stream. */
export const events: Effect.Effect<ReadonlyArray<UsageEvent>, unknown, UsageEvents> = UsageEvents.use((stream) =>
  Effect.map(stream.after({ epoch: "", cursor: "0-0" }, 10_000), (read) => read.events.map((one) => one.event)),
)
