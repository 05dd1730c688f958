/**
 * Keeps Redis' allowances equal to Postgres'. Changes go through the outbox, in their order; where the hash is missing or
 * has missed one, it is rebuilt from a snapshot. A Redis that was lost whole heals by the same way within seconds.
 */
import { Allowance, AllowanceChange } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { rebuild } from "@berth/domain/Allowance/Rebuild"
import { CustomerId } from "@berth/domain/Ids"
import { type Taken, Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { Hopeless } from "../Worker.ts"

const decode = Schema.decodeUnknownEffect(AllowanceChange)

/** Redis has lost this customer again and again while a change was on its way; the row is tried later. */
export class Unsettled extends Schema.TaggedError<Unsettled>()("Unsettled", { customerId: CustomerId }) {}

/**
 * Handles one row of the queue "allowance". A rebuild may find a hash that somebody else has just written from an older
 * snapshot, so the change is done only when the store says that it is in.
 */
export const sync = Effect.fn("AllowanceSync.sync")(function* (row: Taken) {
  const work = yield* Work
  const allowance = yield* Allowance
  const change = yield* decode(row.payload).pipe(Effect.mapError((cause) => new Hopeless({ reason: cause.message })))
  const { customerId } = change
  for (let tries = 0; tries < 5; tries++) {
    const outcome = yield* allowance.apply(change)
    if (outcome === "applied" || outcome === "skipped") return yield* work.done(row.id)
    yield* rebuild(customerId)
  }
  return yield* new Unsettled({ customerId })
})

/** Looks for customers whom Redis does not know, or knows as they were before it lost what came last, and rebuilds them; how many. */
export const heal = Effect.gen(function* () {
  const allowance = yield* Allowance
  const source = yield* AllowanceSource
  const outdated = yield* allowance.outdated(yield* source.customers)
  const rebuilt = yield* Effect.forEach(outdated, (customerId) => Effect.exit(rebuild(customerId)), { concurrency: 4 })
  // One customer whose allowance can't be read keeps no other from theirs.
  for (const exit of rebuilt) if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
  if (outdated.length > 0) yield* Effect.logInfo("Allowances rebuilt from Postgres", { customers: outdated.length })
  return outdated.length
}).pipe(Effect.withSpan("AllowanceSync.heal"))
