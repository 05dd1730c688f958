/** How a customer stands, fetched from Postgres when Redis has no allowance of theirs. On Postgres away: fails, and nobody is admitted. */
import { Allowance, type AllowanceView } from "@berth/domain/Allowance"
import { rebuild as rebuildFromSource } from "@berth/domain/Allowance/Rebuild"
import type { AllowanceSource } from "@berth/domain/AllowanceSource"
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
  const context = yield* Effect.context<Allowance | AllowanceSource>()
  const rebuild = (customerId: CustomerId) => Effect.provideContext(rebuildFromSource(customerId), context)
  const view = Effect.fn("Standing.view")(function* (customerId: CustomerId) {
    const found = yield* allowance.view(customerId)
    return Option.isNone(found) && (yield* rebuild(customerId)) ? yield* allowance.view(customerId) : found
  })
  return { rebuild, view }
})
