/**
 * Compares every customer's allowance in the proxies' store with the ledger, and reports what differs: in a metric and, by
 * customer, in the log. It repairs nothing: a difference is a bug or somebody's hand, and `npm run ops -- rebuild` puts a
 * customer right. What is only on its way is told apart by looking again: a difference counts when it stands still.
 */
import { Allowance } from "@berth/domain/Allowance"
import type { Difference } from "@berth/domain/Allowance/Compare"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import type { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"

export const drifted = Metric.counter("berth_drift_total", {
  description: "Amounts found to differ between the proxies' store and the ledger, by what",
  incremental: true,
})
const customers = Metric.gauge("berth_drift_customers", {
  description: "Customers whose allowance differed from the ledger at the last look",
})
const unsure = Metric.gauge("berth_drift_undecided", {
  description: "Customers whose allowance moved too fast to be compared at the last look",
})

/** `undecided`: changes or usage were on their way at every look. */
export type Verdict = "undecided" | ReadonlyArray<Difference>

/** A snapshot that was overtaken is taken anew, so often. */
const tries = 5
/** A difference must stand still for so long. */
const patience = "3 seconds"

const look = Effect.fn("DriftCheck.look")(function* (customerId: CustomerId) {
  const allowance = yield* Allowance
  const source = yield* AllowanceSource
  let asked: ReadonlyArray<string> = []
  for (let left = tries; left > 0; left--) {
    const snapshot = yield* source.snapshot(customerId, asked)
    if (Option.isNone(snapshot)) return "undecided" as const
    const compared = yield* allowance.compare(snapshot.value, asked)
    if (compared === "outdated") return "undecided" as const
    if (compared === "stale") continue
    if ("differences" in compared) return compared.differences
    asked = [...asked, ...compared.unsure]
  }
  return "undecided" as const
})

const isSame = (one: Difference, other: Difference): boolean =>
  one.what === other.what && one.found - one.expected === other.found - other.expected

/** One customer; what differs has differed by as much for a while. */
export const check = Effect.fn("DriftCheck.check")(function* (customerId: CustomerId) {
  const first: Verdict = yield* look(customerId)
  if (first === "undecided" || first.length === 0) return first
  yield* Effect.sleep(patience)
  const second: Verdict = yield* look(customerId)
  if (second === "undecided" || second.length === 0) return second
  const standing = second.filter((one) => first.some((other) => isSame(one, other)))
  return standing.length === 0 ? ("undecided" as const) : standing
})

/** Every customer once, a few at a time; how many differ. */
export const checkAll = Effect.gen(function* () {
  const source = yield* AllowanceSource
  const all = yield* source.customers
  const checked = yield* Effect.forEach(
    all,
    ({ customerId }) => Effect.map(Effect.exit(check(customerId)), (exit) => ({ customerId, exit })),
    { concurrency: 4 },
  )
  let undecided = 0
  let different = 0
  for (const { customerId, exit } of checked) {
    // One customer who can't be looked at keeps no other from it.
    if (Exit.isFailure(exit)) continue
    if (exit.value === "undecided") undecided++
    else if (exit.value.length > 0) {
      different++
      for (const { what } of exit.value)
        yield* Metric.update(Metric.withAttributes(drifted, { what: what.replace(/:\d+$/, "") }), 1)
      yield* Effect.logError("An allowance in Redis differs from the ledger", { customerId, differences: exit.value })
    }
  }
  yield* Metric.update(customers, different)
  yield* Metric.update(unsure, undecided)
  for (const { exit } of checked) if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
  return different
}).pipe(Effect.withSpan("DriftCheck.checkAll"))
