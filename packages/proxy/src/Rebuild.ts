/** Fetches a customer's allowance from Postgres when Redis has none. On Postgres away: fails, and nobody is admitted. */
import { Allowance } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import type { StoreUnavailable } from "@berth/domain/Errors"
import type { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** Whether there is an allowance now. */
export type Rebuild = (customerId: CustomerId) => Effect.Effect<boolean, StoreUnavailable>

export const make: Effect.Effect<Rebuild, never, Allowance | AllowanceSource> = Effect.gen(function* () {
  const allowance = yield* Allowance
  const source = yield* AllowanceSource
  return Effect.fn("Rebuild")(function* (customerId: CustomerId) {
    const snapshot = yield* source.snapshot(customerId)
    if (Option.isNone(snapshot)) return false
    yield* allowance.rebuild(snapshot.value)
    return true
  })
})
