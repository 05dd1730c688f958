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

export const JobRow = Schema.Struct({ customerId: CustomerId, generation: Schema.Int, reason: JobReason })
export type JobRow = typeof JobRow.Type

export class JobOutbox extends Context.Service<
  JobOutbox,
  {
    /** Its job's id. Joins the caller's transaction. Each row is a lane of its own: a newer one never waits for an older. */
    offer(orderId: OrderId, row: JobRow): Effect.Effect<string, SqlError>
    /** Closes every row up to a generation that was reported. Joins the caller's transaction. */
    close(customerId: CustomerId, generation: number): Effect.Effect<void, SqlError>
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
      const again = Effect.fn("JobOutbox.again")(function* (customerId: CustomerId) {
        const [agent] = yield* sql<{ readonly orderId: OrderId; readonly generation: number }>`
          SELECT order_id AS "orderId", generation FROM agents WHERE customer_id = ${customerId}`
        if (agent !== undefined) yield* work.reopen(jobIdOf(agent.orderId, agent.generation))
      })
      return JobOutbox.of({
        offer: Effect.fn("JobOutbox.offer")(function* (orderId, row) {
          const id = jobIdOf(orderId, row.generation)
          yield* work.offer({ id, queue: "jobs", lane: id, payload: row })
          return id
        }),
        close: Effect.fn("JobOutbox.close")(function* (customerId, generation) {
          const rows = yield* sql<{ readonly id: string }>`
            SELECT id FROM work WHERE queue = 'jobs' AND done_at IS NULL AND dead_reason IS NULL
              AND payload ->> 'customerId' = ${customerId} AND (payload ->> 'generation')::bigint <= ${generation}`
          yield* Effect.forEach(rows, ({ id }) => work.done(id), { discard: true })
        }),
        again,
        allAgain: Effect.gen(function* () {
          const agents = yield* sql<{ readonly id: CustomerId }>`
            SELECT customer_id AS id FROM agents WHERE phase <> 'deleted' OR desired -> 'deletion' IS NULL`
          yield* Effect.forEach(agents, ({ id }) => again(id), { discard: true })
          const now = yield* Clock.currentTimeMillis
          yield* sql`UPDATE work SET due_at = ${now} WHERE queue = 'jobs' AND done_at IS NULL AND dead_reason IS NULL`
          return agents.length
        }).pipe(Effect.withSpan("JobOutbox.allAgain")),
      })
    }),
  )
}
