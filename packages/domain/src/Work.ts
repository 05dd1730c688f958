/**
 * The one durable mechanism behind inbox and outbox: Stripe events, Telegram updates, jobs and mails are rows of `work`,
 * offered in the transaction that decides them. A row is leased, handled and then done, put off or dead; within a lane
 * rows are handled one at a time, in order. At least once: a handler must be safe to repeat.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export type QueueName = "stripe" | "telegram" | "jobs" | "allowance" | "mails"

export interface Offer {
  /** Unique over all queues, from the thing itself (`stripe:evt_1`): a second offer of it changes nothing. */
  readonly id: string
  readonly queue: QueueName
  /** Rows of one lane are handled in order. The customer or chat id, or the row's own id where order does not matter. */
  readonly lane: string
  readonly payload: unknown
  /** Epoch ms before which it is not handed out; at once if left out. */
  readonly dueAt?: number
}

export interface Taken {
  readonly id: string
  readonly lane: string
  readonly payload: unknown
  /** How often it was handed out before. */
  readonly attempts: number
}

export class Work extends Context.Service<
  Work,
  {
    /** Joins the caller's transaction. False if the row was there already, handled or not. */
    offer(offer: Offer): Effect.Effect<boolean, SqlError>
    /** Leases up to `max` due rows, the oldest of each lane, for `leaseMs`; a holder that died loses them to the next caller. */
    take(queue: QueueName, max: number, leaseMs: number): Effect.Effect<ReadonlyArray<Taken>, SqlError>
    /** Not handed out again. Joins the caller's transaction. */
    done(id: string): Effect.Effect<void, SqlError>
    /** Handed out again at `dueAt` (epoch ms). */
    putOff(id: string, dueAt: number): Effect.Effect<void, SqlError>
    /** Given up, kept with the reason for ops. */
    bury(id: string, reason: string): Effect.Effect<void, SqlError>
    /** Hands a done row out again, at once: what it had done was undone elsewhere. Joins the caller's transaction. */
    reopen(id: string): Effect.Effect<void, SqlError>
  }
>()("@berth/domain/Work") {
  static readonly layer: Layer.Layer<Work, never, SqlClient> = Layer.effect(
    Work,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      return Work.of({
        offer: Effect.fn("Work.offer")(function* (offer) {
          const now = yield* Clock.currentTimeMillis
          const rows = yield* sql`
            INSERT INTO work (id, queue, lane, payload, due_at, created_at)
            VALUES (${offer.id}, ${offer.queue}, ${offer.lane}, ${JSON.stringify(offer.payload)}::text::jsonb,
                    ${offer.dueAt ?? now}, ${now})
            ON CONFLICT (id) DO NOTHING RETURNING id`
          return rows.length > 0
        }),
        take: Effect.fn("Work.take")(function* (queue, max, leaseMs) {
          const now = yield* Clock.currentTimeMillis
          return yield* sql<Taken>`
            WITH due AS (
              SELECT id, attempts FROM work w
              WHERE queue = ${queue} AND done_at IS NULL AND dead_reason IS NULL AND due_at <= ${now}
                AND NOT EXISTS (
                  SELECT 1 FROM work earlier
                  WHERE earlier.queue = w.queue AND earlier.lane = w.lane AND earlier.position < w.position
                    AND earlier.done_at IS NULL AND earlier.dead_reason IS NULL)
              ORDER BY position LIMIT ${max} FOR UPDATE SKIP LOCKED
            )
            UPDATE work SET attempts = work.attempts + 1, due_at = ${now + leaseMs} FROM due
            WHERE work.id = due.id
            RETURNING work.id, work.lane, work.payload, due.attempts`
        }),
        done: Effect.fn("Work.done")(function* (id) {
          const now = yield* Clock.currentTimeMillis
          yield* sql`UPDATE work SET done_at = ${now} WHERE id = ${id} AND done_at IS NULL`
        }),
        putOff: Effect.fn("Work.putOff")(function* (id, dueAt) {
          yield* sql`UPDATE work SET due_at = ${dueAt} WHERE id = ${id} AND done_at IS NULL AND dead_reason IS NULL`
        }),
        bury: Effect.fn("Work.bury")(function* (id, reason) {
          yield* sql`UPDATE work SET dead_reason = ${reason} WHERE id = ${id} AND done_at IS NULL`
        }),
        reopen: Effect.fn("Work.reopen")(function* (id) {
          const now = yield* Clock.currentTimeMillis
          yield* sql`UPDATE work SET done_at = NULL, due_at = ${now} WHERE id = ${id} AND done_at IS NOT NULL`
        }),
      })
    }),
  )
}
