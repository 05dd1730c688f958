/**
 * What a customer is told, numbered per customer without a gap. Written in the transaction that makes it true; the bus
 * only says "look". A source id makes each event happen once, however often its cause is replayed.
 */
import { CustomerBus } from "@berth/domain/CustomerBus"
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { CustomerEvent } from "../api/Events.ts"

type WithoutPlace<E> = E extends CustomerEvent ? Omit<E, "seq" | "at"> : never
/** An event before it has its place. */
export type NewCustomerEvent = WithoutPlace<CustomerEvent>

const decode = Schema.decodeUnknownEffect(Schema.Array(CustomerEvent))

export class CustomerEvents extends Context.Service<
  CustomerEvents,
  {
    /** Joins the caller's transaction; false if that source was told already. Call `announce` once it is committed. */
    append(customerId: CustomerId, sourceId: string, event: NewCustomerEvent): Effect.Effect<boolean, SqlError>
    /** Tells listeners to look. Best effort: they also look by themselves. */
    announce(customerId: CustomerId): Effect.Effect<void>
    /** Events after a seq, oldest first, at most 100. */
    after(customerId: CustomerId, seq: number): Effect.Effect<ReadonlyArray<CustomerEvent>, SqlError>
  }
>()("@berth/control/CustomerEvents") {
  static readonly layer: Layer.Layer<CustomerEvents, never, SqlClient | CustomerBus> = Layer.effect(
    CustomerEvents,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const bus = yield* CustomerBus
      const append = Effect.fn("CustomerEvents.append")(function* (
        customerId: CustomerId,
        sourceId: string,
        event: NewCustomerEvent,
      ) {
        const now = yield* Clock.currentTimeMillis
        // The account's row serialises writers, so that seq has neither a gap nor a late comer. No stronger lock than the
        // recorder's, which holds the row by then: who has added a row that names the account must not be in its way.
        const [account] = yield* sql<{ readonly seq: number }>`
          SELECT next_event_seq AS seq FROM accounts WHERE id = ${customerId} FOR NO KEY UPDATE`
        const known = yield* sql`SELECT 1 FROM customer_events WHERE source_id = ${sourceId}`
        if (account === undefined || known.length > 0) return false
        const { _tag, ...payload } = event
        yield* sql`
          INSERT INTO customer_events (customer_id, seq, type, payload, source_id, at)
          VALUES (${customerId}, ${account.seq}, ${_tag}, ${JSON.stringify(payload)}::text::jsonb, ${sourceId}, ${now})`
        yield* sql`UPDATE accounts SET next_event_seq = next_event_seq + 1 WHERE id = ${customerId}`
        return true
      })
      return CustomerEvents.of({
        append: (customerId, sourceId, event) => sql.withTransaction(append(customerId, sourceId, event)),
        announce: (customerId) => Effect.ignore(bus.publish(customerId)),
        after: Effect.fn("CustomerEvents.after")(function* (customerId, seq) {
          const rows = yield* sql<{ readonly event: unknown }>`
            SELECT payload || jsonb_build_object('_tag', type, 'seq', seq, 'at', at) AS event
            FROM customer_events WHERE customer_id = ${customerId} AND seq > ${seq} ORDER BY seq LIMIT 100`
          return yield* decode(rows.map((row) => row.event)).pipe(Effect.orDie)
        }),
      })
    }),
  )
}
