/** What one model call used, and what it is charged at. Tokens are integers; money is micro-USD. */
import * as Effect from "effect/Effect"
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
  /** A heartbeat or cron turn. Events of before there was a difference count as none. */
  background: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
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
  /** A request was refused because the period's limit is used up; told for the first one at each limit. Not for the ledger. */
  Schema.TaggedStruct("exhausted", { ...common, used: Tokens, limit: Tokens }),
])
export type UsageEvent = typeof UsageEvent.Type

/**
 * The unique source id of an event, in the ledger or among the customer's events; what makes recording exactly-once. A call
 * is charged once, as usage or as a correction: a Redis that forgot the one may tell the other.
 */
export const sourceIdOf = (event: UsageEvent): string => {
  switch (event._tag) {
    case "usage":
    case "correction":
      return `usage:${event.requestId}:${event.attempt}`
    case "period":
      return `period:${event.customerId}:${event.period}`
    case "exhausted":
      return `exhausted:${event.customerId}:${event.period}:${event.limit}`
    case "lost":
      return `lost:${event.requestId}:${event.attempt}`
  }
}
