/** Conversations in Postgres: state as JSON beside its messages, written only under the row's lock. */
import type { ConversationId, CustomerId, OrderId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type Card, Message } from "../api/Messages.ts"
import { State } from "./Conversation/State.ts"

export interface Stored {
  readonly id: ConversationId
  readonly accountId: CustomerId
  readonly state: State
}

export interface NewMessage {
  readonly role: Message["role"]
  readonly text: string
  readonly cards: ReadonlyArray<Card>
  readonly clientId: string | null
}

const decodeState = Schema.decodeUnknownEffect(State)
const encodeState = Schema.encodeEffect(State)
const decodeMessages = Schema.decodeUnknownEffect(Schema.Array(Message))

export class ConversationStore extends Context.Service<
  ConversationStore,
  {
    create(id: ConversationId, accountId: CustomerId, state: State): Effect.Effect<void, SqlError>
    find(id: string): Effect.Effect<Option.Option<Stored>, SqlError>
    /** The account's newest conversation. */
    newestOf(accountId: CustomerId): Effect.Effect<Option.Option<Stored>, SqlError>
    /** Holds the row until the caller's transaction ends. */
    lock(id: string): Effect.Effect<Option.Option<Stored>, SqlError>
    /** Under the lock. */
    save(id: ConversationId, state: State): Effect.Effect<void, SqlError>
    /** Under the lock; the messages with their places. */
    append(id: ConversationId, messages: ReadonlyArray<NewMessage>): Effect.Effect<ReadonlyArray<Message>, SqlError>
    readonly messages: (id: ConversationId) => Effect.Effect<ReadonlyArray<Message>, SqlError>
    /** What was said with this client id and what followed until the customer's next words; empty if it was never said. */
    saidWith(id: ConversationId, clientId: string): Effect.Effect<ReadonlyArray<Message>, SqlError>
    /** How often the customer spoke since an instant (epoch ms). */
    spokenSince(id: ConversationId, since: number): Effect.Effect<number, SqlError>
    /** Conversations whose account was told something that they were not. */
    readonly behind: Effect.Effect<ReadonlyArray<ConversationId>, SqlError>
    /** Takes accepted offers without a payment page that nobody touched since an instant (epoch ms), at most 10. */
    withoutCheckout(
      before: number,
    ): Effect.Effect<
      ReadonlyArray<{ readonly id: ConversationId; readonly accountId: CustomerId; readonly orderId: OrderId }>,
      SqlError
    >
  }
>()("@berth/control/ConversationStore") {
  static readonly layer: Layer.Layer<ConversationStore, never, SqlClient> = Layer.effect(
    ConversationStore,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      type Row = { readonly id: ConversationId; readonly accountId: CustomerId; readonly state: unknown }
      const stored = (rows: ReadonlyArray<Row>) =>
        rows[0] === undefined
          ? Effect.succeed(Option.none<Stored>())
          : decodeState(rows[0].state).pipe(
              Effect.orDie,
              Effect.map((state) => Option.some({ ...(rows[0] as Row), state })),
            )
      const columns = sql.literal(`SELECT id, account_id AS "accountId", state FROM conversations`)
      const messageOf = sql.literal(`SELECT body || jsonb_build_object('seq', seq, 'role', role, 'at', at) AS message`)
      const listed = (rows: ReadonlyArray<{ readonly message: unknown }>) =>
        Effect.orDie(decodeMessages(rows.map((row) => row.message)))

      /** By this, accounts that are behind are found without a look at every conversation. */
      const noteFollowed = Effect.fn("ConversationStore.noteFollowed")(
        (id: ConversationId) => sql`
          UPDATE accounts a SET followed_seq = f.followed
          FROM (SELECT account_id, min((state->>'followed')::bigint) AS followed FROM conversations
                WHERE account_id = (SELECT account_id FROM conversations WHERE id = ${id}) GROUP BY account_id) f
          WHERE a.id = f.account_id AND a.followed_seq <> f.followed`,
      )

      return ConversationStore.of({
        create: Effect.fn("ConversationStore.create")(function* (id, accountId, state) {
          const now = yield* Clock.currentTimeMillis
          const json = JSON.stringify(yield* Effect.orDie(encodeState(state)))
          yield* sql`INSERT INTO conversations (id, account_id, channel, state, created_at, updated_at)
            VALUES (${id}, ${accountId}, ${state.channel}, ${json}::text::jsonb, ${now}, ${now})`
          yield* noteFollowed(id)
        }),
        find: Effect.fn("ConversationStore.find")((id) =>
          Effect.flatMap(sql<Row>`${columns} WHERE id = ${id}`, stored),
        ),
        newestOf: Effect.fn("ConversationStore.newestOf")((accountId) =>
          Effect.flatMap(
            sql<Row>`${columns} WHERE account_id = ${accountId} ORDER BY created_at DESC, id LIMIT 1`,
            stored,
          ),
        ),
        lock: Effect.fn("ConversationStore.lock")((id) =>
          Effect.flatMap(sql<Row>`${columns} WHERE id = ${id} FOR UPDATE`, stored),
        ),
        save: Effect.fn("ConversationStore.save")(function* (id, state) {
          const now = yield* Clock.currentTimeMillis
          const json = JSON.stringify(yield* Effect.orDie(encodeState(state)))
          yield* sql`UPDATE conversations SET state = ${json}::text::jsonb, version = version + 1, updated_at = ${now}
            WHERE id = ${id}`
          yield* noteFollowed(id)
        }),
        append: Effect.fn("ConversationStore.append")(function* (id, messages) {
          const now = yield* Clock.currentTimeMillis
          const [last] = yield* sql<{ readonly seq: number }>`
            SELECT coalesce(max(seq), 0)::bigint AS seq FROM messages WHERE conversation_id = ${id}`
          const placed = messages.map((message, index) => ({ ...message, seq: (last?.seq ?? 0) + index + 1, at: now }))
          for (const { at, cards, clientId, role, seq, text } of placed) {
            yield* sql`INSERT INTO messages (conversation_id, seq, role, body, client_id, at)
              VALUES (${id}, ${seq}, ${role}, ${JSON.stringify({ text, cards })}::text::jsonb, ${clientId}, ${at})`
          }
          return placed.map(({ at, cards, role, seq, text }) => ({ seq, role, text, cards, at }))
        }),
        messages: Effect.fn("ConversationStore.messages")((id) =>
          Effect.flatMap(
            sql<{ readonly message: unknown }>`
              ${messageOf} FROM messages WHERE conversation_id = ${id} ORDER BY seq`,
            listed,
          ),
        ),
        saidWith: Effect.fn("ConversationStore.saidWith")((id, clientId) =>
          Effect.flatMap(
            sql<{ readonly message: unknown }>`
              ${messageOf} FROM messages m,
                (SELECT seq AS first FROM messages WHERE conversation_id = ${id} AND client_id = ${clientId}) s
              WHERE conversation_id = ${id} AND seq >= first
                AND NOT EXISTS (SELECT 1 FROM messages o WHERE o.conversation_id = m.conversation_id
                                AND o.role = 'user' AND o.seq > first AND o.seq <= m.seq)
              ORDER BY seq`,
            listed,
          ),
        ),
        spokenSince: Effect.fn("ConversationStore.spokenSince")(function* (id, since) {
          const [row] = yield* sql<{ readonly count: number }>`
            SELECT count(*)::bigint AS count FROM messages
            WHERE conversation_id = ${id} AND role = 'user' AND at > ${since}`
          return row?.count ?? 0
        }),
        behind: sql<{ readonly id: ConversationId }>`
          SELECT c.id FROM accounts a JOIN conversations c ON c.account_id = a.id
          WHERE a.followed_seq < a.next_event_seq - 1 AND (c.state->>'followed')::bigint < a.next_event_seq - 1 ORDER BY c.updated_at LIMIT 100`.pipe(
          Effect.map((rows) => rows.map((row) => row.id)),
          Effect.withSpan("ConversationStore.behind"),
        ),
        withoutCheckout: Effect.fn("ConversationStore.withoutCheckout")(function* (before) {
          const now = yield* Clock.currentTimeMillis
          return yield* sql<{ readonly id: ConversationId; readonly accountId: CustomerId; readonly orderId: OrderId }>`
            UPDATE conversations SET updated_at = ${now}
            WHERE id IN (SELECT id FROM conversations
                         WHERE state->>'stage' = 'checkout' AND state->>'orderId' IS NOT NULL
                           AND state->>'checkoutUrl' IS NULL AND updated_at < ${before}
                         LIMIT 10 FOR UPDATE SKIP LOCKED)
            RETURNING id, account_id AS "accountId", state->>'orderId' AS "orderId"`
        }),
      })
    }),
  )
}
