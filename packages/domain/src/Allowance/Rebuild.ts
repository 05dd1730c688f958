/**
 * Puts a missing allowance back from Postgres: for the proxy on a miss, for billing after a loss. On Postgres away: fails,
 * and nobody is admitted.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Allowance } from "../Allowance.ts"
import { AllowanceSource } from "../AllowanceSource.ts"
import { StoreUnavailable } from "../Errors.ts"
import type { CustomerId } from "../Ids.ts"

/** A snapshot that the recorder or a settlement overtook is taken anew, so often. */
const tries = 20

/** Writes the allowance if it is missing or outdated; whether the store has one now. */
export const rebuild = Effect.fn("Allowance.rebuildFromSource")(function* (customerId: CustomerId) {
  const allowance = yield* Allowance
  const source = yield* AllowanceSource
  let asked: ReadonlyArray<string> = []
  for (let left = tries; left > 0; left--) {
    const snapshot = yield* source.snapshot(customerId, asked)
    if (Option.isNone(snapshot)) return false
    const rebuilt = yield* allowance.rebuild(snapshot.value, asked)
    if (rebuilt === "rebuilt" || rebuilt === "present") return true
    if (rebuilt !== "stale") asked = [...asked, ...rebuilt.unsure]
  }
  // More than a race: Postgres is behind what it had recorded, as after a restore of an old backup.
  yield* Effect.logError("Postgres lacks usage that has left the stream", { customerId })
  return yield* new StoreUnavailable({ store: "postgres", operation: "Allowance.rebuild", cause: "out of date" })
})
