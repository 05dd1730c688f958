/**
 * The consumer of `agent:events`: each event is one transaction (agent, job rows, what the customer is told, mail), then it
 * is acknowledged, then the customer's pages are told to look. An event that was committed and not acknowledged comes again
 * and changes nothing.
 */
import { type AgentEvent, AgentEvents } from "@berth/domain/AgentEvents"
import type { CustomerId } from "@berth/domain/Ids"
import { Desired } from "@berth/domain/Jobs"
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Audit } from "../billing/Audit.ts"
import { Exports } from "../exports/Exports.ts"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { Mails } from "../notify/Mails.ts"
import { type AgentState, decide } from "./AgentReport.ts"
import { JobOutbox } from "./JobOutbox.ts"
import * as ProxyTokens from "./ProxyTokens.ts"

const decodeDesired = Schema.decodeUnknownEffect(Desired)

interface Row extends Omit<AgentState, "desired"> {
  readonly desired: unknown
  readonly email: string
}

const gather = Effect.fn("AgentReports.gather")(function* (event: AgentEvent) {
  const sql = yield* SqlClient
  yield* sql`SELECT 1 FROM accounts WHERE id = ${event.customerId} FOR UPDATE`
  const [row] = yield* sql<Row>`
    SELECT a.order_id AS "orderId", a.generation, a.desired, a.phase, a.reported_generation AS "reportedGeneration",
      a.reported_seq AS "reportedSeq", a.reported_at AS "reportedAt", a.steps, a.failure, a.troubles, o.email
    FROM agents a JOIN orders o ON o.id = a.order_id WHERE a.customer_id = ${event.customerId} FOR UPDATE OF a`
  return row === undefined ? undefined : { ...row, desired: yield* decodeDesired(row.desired).pipe(Effect.orDie) }
})

/** One event, in the caller's transaction. */
const apply = Effect.fn("AgentReports.apply")(function* (event: AgentEvent) {
  const sql = yield* SqlClient
  const jobs = yield* JobOutbox
  const events = yield* CustomerEvents
  const mails = yield* Mails
  const audit = yield* Audit
  const { customerId } = event
  const agent = yield* gather(event)
  if (agent === undefined) return yield* Effect.logWarning("The operator reports an unknown agent", { customerId })
  const report = decide(agent, event)
  if (report.skipped) yield* Effect.logWarning("Agent events were lost", { customerId, from: agent.phase, event })
  if (report.next !== undefined) {
    const { phase, reportedGeneration, reportedSeq, reportedAt, steps, failure, troubles } = report.next
    yield* sql`
      UPDATE agents SET phase = ${phase}, reported_generation = ${reportedGeneration}, reported_seq = ${reportedSeq},
        reported_at = ${reportedAt}, steps = ${JSON.stringify(steps)}::text::jsonb,
        failure = ${failure === null ? null : JSON.stringify(failure)}::text::jsonb,
        troubles = ${JSON.stringify(troubles)}::text::jsonb,
        updated_at = ${yield* Clock.currentTimeMillis}
      WHERE customer_id = ${customerId}`
    if (event._tag === "driftRepaired" || event._tag === "deletionBlocked")
      yield* audit.write("operator", `agent.${event._tag}`, customerId, { generation: event.generation })
  }
  yield* jobs.close(customerId, report.close, event.at)
  if (report.again) yield* jobs.again(customerId)
  for (const { sourceId, event: told } of report.tell) yield* events.append(customerId, sourceId, told)
  for (const trouble of report.call) yield* mails.trouble(agent.orderId, agent.email, agent.desired, trouble)
  if (report.exported !== undefined) {
    const exports = yield* Exports
    yield* exports.record(customerId, event.generation, report.exported, event.at)
    yield* mails.exported(agent.email, agent.desired, {
      ...report.exported,
      customerId,
      generation: event.generation,
      at: event.at,
    })
  }
  if (report.settled) yield* ProxyTokens.endOlder(customerId)
  if (report.live) yield* mails.welcome(agent.orderId, agent.email, agent.desired)
})

/**
 * One batch; whether there was any. One that cannot be handled holds up its own customer alone: it is left to be delivered
 * again, and so is what follows it for that customer.
 */
export const consume = Effect.gen(function* () {
  const sql = yield* SqlClient
  const stream = yield* AgentEvents
  const events = yield* CustomerEvents
  const delivered = yield* stream.take(32)
  const failed = new Map<CustomerId, Cause.Cause<SqlError>>()
  for (const { id, event } of delivered) {
    if (failed.has(event.customerId)) continue
    const exit = yield* Effect.exit(sql.withTransaction(apply(event)))
    if (Exit.isFailure(exit)) {
      failed.set(event.customerId, exit.cause)
      continue
    }
    yield* stream.acknowledge([id])
    yield* events.announce(event.customerId)
  }
  for (const cause of failed.values()) return yield* Effect.failCause(cause)
  return delivered.length > 0
}).pipe(Effect.withSpan("AgentReports.consume"))

/**
 * Has the jobs of agents pushed again that the operator has not mentioned for so long; how many. Every resync reports each
 * agent, so one that several resyncs lack is not in the cluster any more.
 */
export const wakeSilent = Effect.fn("AgentReports.wakeSilent")(function* (silenceMillis: number) {
  const sql = yield* SqlClient
  const jobs = yield* JobOutbox
  const heardBefore = (yield* Clock.currentTimeMillis) - silenceMillis
  const silent = yield* sql<{ readonly id: CustomerId }>`
    SELECT a.customer_id AS id FROM agents a JOIN work w ON w.id = 'job:' || a.order_id || ':' || a.generation
    WHERE (a.phase <> 'deleted' OR a.desired -> 'deletion' IS NULL) AND a.reported_at < ${heardBefore} AND w.done_at IS NOT NULL`
  yield* Effect.forEach(silent, ({ id }) => jobs.again(id), { discard: true })
  if (silent.length > 0)
    yield* Effect.logWarning("Agents missing from resyncs are sent again", { agents: silent.length })
  return silent.length
})
