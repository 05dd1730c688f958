/**
 * The outbox rows of jobs: one per order and generation, offered in the transaction that makes the generation. A row closes
 * only when an agent event reports its generation or a later one, so a job that was lost on its way is pushed again.
 * Rows hold no state: the relay builds the job from the agent as it stands, so whatever is pushed is the newest.
 */
import { CustomerId, type OrderId } from "@berth/domain/Ids"
import { JobReason } from "@berth/domain/Jobs"
import { Work } from "@berth/domain/Work"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export const jobIdOf = (orderId: OrderId, generation: number): string => `job:${orderId}:${generation}`

export const JobRow = Schema.Struct({
  customerId: CustomerId,
  generation: Schema.Int,
  reason: JobReason,
  /** Epoch ms at which it was wanted again: what was reported before is of an agent that may be lost. */
  since: Schema.optionalKey(Schema.Int),
})
export type JobRow = typeof JobRow.Type

export class JobOutbox extends Context.Service<
  JobOutbox,
  {
    /** Its job's id. Joins the caller's transaction. Each row is a lane of its own: a newer one never waits for an older. */
    offer(orderId: OrderId, row: JobRow): Effect.Effect<string, SqlError>
    /** Closes every row up to a generation that was reported at an instant, epoch ms. Joins the caller's transaction. */
    close(customerId: CustomerId, generation: number, at: number): Effect.Effect<void, SqlError>
    /** Has the agent's newest job pushed again, closed or not. Joins the caller's transaction. */
    again(customerId: CustomerId): Effect.Effect<void, SqlError>
    /** The same at once for every agent that is not deleted: the cluster was lost, and what was on its way there. How many. */
    readonly allAgain: Effect.Effect<number, SqlError>
  }
>()("@berth/control/JobOutbox") {
  static readonly layer: Layer.Layer<JobOutbox, never, SqlClient | Work> = Layer.effect(
    JobOutbox,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const work = yield* Work
      const newest = sql`w.id = 'job:' || a.order_id || ':' || a.generation`
      const wanted = (now: number) =>
        sql`done_at = NULL, due_at = ${now}, payload = payload || jsonb_build_object('since', ${now}::bigint)`
      return JobOutbox.of({
        offer: Effect.fn("JobOutbox.offer")(function* (orderId, row) {
          const id = jobIdOf(orderId, row.generation)
          yield* work.offer({ id, queue: "jobs", lane: id, payload: row })
          return id
        }),
        close: Effect.fn("JobOutbox.close")(function* (customerId, generation, at) {
          const rows = yield* sql<{ readonly id: string }>`
            SELECT id FROM work WHERE queue = 'jobs' AND done_at IS NULL AND dead_reason IS NULL
              AND payload ->> 'customerId' = ${customerId} AND (payload ->> 'generation')::bigint <= ${generation}
              AND coalesce((payload ->> 'since')::bigint, 0) <= ${at}`
          yield* Effect.forEach(rows, ({ id }) => work.done(id), { discard: true })
        }),
        again: Effect.fn("JobOutbox.again")(function* (customerId) {
          const now = yield* Clock.currentTimeMillis
          yield* sql`
            UPDATE work w SET ${wanted(now)} FROM agents a
            WHERE a.customer_id = ${customerId} AND ${newest} AND w.done_at IS NOT NULL`
        }),
        allAgain: Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const agents = yield* sql`
            UPDATE work w SET ${wanted(now)} FROM agents a
            WHERE (a.phase <> 'deleted' OR a.desired -> 'deletion' IS NULL) AND ${newest} RETURNING 1`
          return agents.length
        }).pipe(Effect.withSpan("JobOutbox.allAgain")),
      })
    }),
  )
}
