/**
 * Whether a customer's allowance in Redis is as the ledger says, and how ops put it right: it is dropped and built anew from
 * Postgres and the stream. Calls under way go on and are counted; whoever asks in that moment has it rebuilt themselves.
 */
import { Allowance } from "@berth/domain/Allowance"
import { rebuild } from "@berth/domain/Allowance/Rebuild"
import type { CustomerId } from "@berth/domain/Ids"
import { Refused } from "@berth/domain/Launch"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Audit } from "../billing/Audit.ts"
import { check, type Verdict } from "../billing/DriftCheck.ts"

const store = Effect.gen(function* () {
  const allowance = Option.getOrUndefined(yield* Effect.serviceOption(Allowance))
  return (
    allowance ?? (yield* new Refused({ message: "REDIS_URL is not given, so the proxies' store can't be looked at." }))
  )
})

export const driftOf = Effect.fn("Repair.driftOf")(function* (customerId: CustomerId) {
  return yield* Effect.provideService(check(customerId), Allowance, yield* store)
})

/** What differed, and what still does. */
export const repair = Effect.fn("Repair.repair")(function* (customerId: CustomerId, actor: string) {
  const allowance = yield* store
  const audit = yield* Audit
  const before = yield* driftOf(customerId)
  yield* audit.write(actor, "allowance.rebuild", customerId, { before })
  yield* allowance.forget(customerId)
  yield* Effect.provideService(rebuild(customerId), Allowance, allowance)
  return { before, after: yield* driftOf(customerId) }
})

/** As people read it. Pure. */
export const textOf = (verdict: Verdict): string =>
  verdict === "undecided"
    ? "  it moves too fast to tell, or is being changed or rebuilt: try again"
    : verdict.length === 0
      ? "  as the ledger says"
      : verdict.map(({ what, expected, found }) => `  ${what.padEnd(16)} is ${found}, should be ${expected}`).join("\n")
