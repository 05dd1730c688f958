/** How a customer stands, fetched from Postgres when Redis has no allowance of theirs. On Postgres away: fails, and nobody is admitted. */
import { Allowance, type AllowanceView } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import type { StoreUnavailable } from "@berth/domain/Errors"
import type { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

export interface Standing {
  /** Puts the allowance back from Postgres; whether there is one now. */
  readonly rebuild: (customerId: CustomerId) => Effect.Effect<boolean, StoreUnavailable>
  /** None if neither store knows the customer. */
  readonly view: (customerId: CustomerId) => Effect.Effect<Option.Option<AllowanceView>, StoreUnavailable>
}

export const make: Effect.Effect<Standing, never, Allowance | AllowanceSource> = Effect.gen(function* () {
  const allowance = yield* Allowance
  const source = yield* AllowanceSource
  const rebuild = Effect.fn("Standing.rebuild")(function* (customerId: CustomerId) {
    const snapshot = yield* source.snapshot(customerId)
    if (Option.isNone(snapshot)) return false
    yield* allowance.rebuild(snapshot.value)
    return true
  })
  const view = Effect.fn("Standing.view")(function* (customerId: CustomerId) {
    const found = yield* allowance.view(customerId)
    return Option.isNone(found) && (yield* rebuild(customerId)) ? yield* allowance.view(customerId) : found
  })
  return { rebuild, view }
})
