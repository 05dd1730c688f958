/** What one model call used, and what it is charged at. Tokens are integers; money is micro-USD. */
import * as Schema from "effect/Schema"
import { CustomerId, RequestId } from "./Ids.ts"

const Tokens = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** As the upstream reports it. `prompt` includes `cached`; `completion` includes `reasoning`. */
export const Usage = Schema.Struct({
  prompt: Tokens,
  cached: Tokens,
  completion: Tokens,
  reasoning: Tokens,
})
export type Usage = typeof Usage.Type

/**
 * Tokens charged to the allowance: cached prompt tokens count at a sixth, rounded up, which is about k2.6's price ratio.
 * A report of more cached than prompt tokens is taken as all cached.
 */
export const chargeOf = (usage: Usage): number => {
  const cached = Math.min(usage.cached, usage.prompt)
  return usage.prompt - cached + Math.ceil(cached / 6) + usage.completion
}

const common = { customerId: CustomerId, at: Schema.Int, period: Schema.Int }
const call = { ...common, requestId: RequestId, attempt: Schema.Int }
const counted = {
  ...call,
  model: Schema.String,
  usage: Usage,
  charge: Tokens,
  /** Settled from bytes seen because the upstream never reported. */
  estimated: Schema.Boolean,
  priceVersion: Schema.String,
  /** W3C trace id that ties the tries of one turn together; empty when the client sent none. */
  traceId: Schema.String,
}

/**
 * Facts on their way from Redis to the ledger, in the order of `usage:events`. `at` is Redis' own time in epoch ms.
 * `lost` charges nothing: it says that a hold ran out with no answer known. A truth that arrives later is a `correction`.
 */
export const UsageEvent = Schema.Union([
  Schema.TaggedStruct("usage", counted),
  Schema.TaggedStruct("lost", { ...call, ask: Tokens }),
  Schema.TaggedStruct("correction", counted),
  /** The admission script opened a period because it was due. */
  Schema.TaggedStruct("period", { ...common, startsAt: Schema.Int, endsAt: Schema.Int, plan: Tokens }),
])
export type UsageEvent = typeof UsageEvent.Type

/** The ledger's unique source id of an event; what makes recording exactly-once. */
export const sourceIdOf = (event: UsageEvent): string =>
  event._tag === "period"
    ? `period:${event.customerId}:${event.period}`
    : `${event._tag}:${event.requestId}:${event.attempt}`
