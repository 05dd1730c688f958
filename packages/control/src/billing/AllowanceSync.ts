/**
 * Keeps Redis' allowances equal to Postgres'. Changes go through the outbox, in their order; where the hash is missing or
 * has missed one, it is rebuilt from a snapshot. A Redis that was lost whole heals by the same way within seconds.
 */
import { Allowance, AllowanceChange } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import type { CustomerId } from "@berth/domain/Ids"
import { type Taken, Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Hopeless } from "./Worker.ts"

const decode = Schema.decodeUnknownEffect(AllowanceChange)

/** Writes a missing hash; nothing if it stands. A snapshot that the recorder overtook is taken anew. */
export const rebuild = Effect.fn("AllowanceSync.rebuild")(function* (customerId: CustomerId) {
  const allowance = yield* Allowance
  const source = yield* AllowanceSource
  for (let tries = 0; tries < 10; tries++) {
    const snapshot = yield* source.snapshot(customerId)
    if (Option.isNone(snapshot) || (yield* allowance.rebuild(snapshot.value)) !== "stale") return
  }
  // More than a race: Postgres is behind what it had recorded, as after a restore of an old backup. Nobody is admitted.
  yield* Effect.logError("Postgres lacks usage that has left the stream", { customerId })
})

/** Handles one row of the queue "allowance". */
export const sync = Effect.fn("AllowanceSync.sync")(function* (row: Taken) {
  const work = yield* Work
  const allowance = yield* Allowance
  const change = yield* decode(row.payload).pipe(Effect.mapError((cause) => new Hopeless({ reason: cause.message })))
  const outcome = yield* allowance.apply(change)
  if (outcome === "gap") yield* allowance.forget(change.customerId)
  if (outcome === "gap" || outcome === "absent") yield* rebuild(change.customerId)
  yield* work.done(row.id)
})

/** Looks for customers whom Redis does not know and rebuilds them; how many. */
export const heal = Effect.gen(function* () {
  const allowance = yield* Allowance
  const source = yield* AllowanceSource
  const missing = yield* Effect.filter(
    yield* source.customers,
    (customerId) => Effect.map(allowance.view(customerId), Option.isNone),
    { concurrency: 16 },
  )
  yield* Effect.forEach(missing, rebuild, { concurrency: 4, discard: true })
  if (missing.length > 0) yield* Effect.logInfo("Allowances rebuilt from Postgres", { customers: missing.length })
  return missing.length
}).pipe(Effect.withSpan("AllowanceSync.heal"))
