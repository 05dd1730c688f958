import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import * as Postgres from "../src/live/Postgres.ts"
import { migrate } from "../src/Migrations.ts"
import createSchema from "../src/migrations/0001_create_schema.ts"
import addInstants from "../src/migrations/0002_add_instants.ts"
import { emptyDatabase } from "../src/testing/FreshDatabase.ts"

const onEmpty = <A, E>(test: Effect.Effect<A, E, SqlClient>) =>
  Effect.flatMap(emptyDatabase, (url) => Effect.provide(test, Postgres.layer(url, 4))).pipe(Effect.scoped)

/** Brings a database to a schema of the past, as it stood then. */
const upTo = (migrations: Record<string, Effect.Effect<void, unknown, SqlClient>>) =>
  Migrator.make({})({ loader: Migrator.fromRecord(migrations), table: "migrations" })

describe("the schema", () => {
  it.effect("is brought up to date once, though two start at the same time", () =>
    onEmpty(
      Effect.gen(function* () {
        const runs = yield* Effect.all([migrate, migrate], { concurrency: "unbounded" })
        assert.deepStrictEqual(runs.map((run) => run.length).sort(), [0, 3], "the second found nothing to do")
      }),
    ),
  )

  it.effect("0002 counts what was running as paid to its period's end, and agents as not heard of yet", () =>
    onEmpty(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* upTo({ "0001_create_schema": createSchema as Effect.Effect<void, unknown, SqlClient> })
        yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES ('ann', 'customer', 1)`
        yield* sql`INSERT INTO orders (id, account_id, tier, facts, email, telegram_user_id, bot_username, status, created_at)
                   VALUES ('ord_1', 'ann', 'pro', '{}', 'a@b.c', '1', 'bot', 'paid', 1)`
        yield* sql`INSERT INTO subscriptions (id, account_id, order_id, tier, status, anchor, period_start, period_end, updated_at)
                   VALUES ('sub_1', 'ann', 'ord_1', 'pro', 'active', 1, 1, 2678400000, 1)`
        yield* sql`INSERT INTO agents (customer_id, order_id, generation, desired, phase, created_at, updated_at)
                   VALUES ('ann', 'ord_1', 1, '{}', 'active', 1, 1)`
        yield* migrate
        assert.deepEqual(yield* sql`SELECT paid_until FROM subscriptions`, [{ paid_until: 2_678_400_000 }])
        assert.deepEqual(yield* sql`SELECT reported_at FROM agents`, [{ reported_at: 0 }])
      }),
    ),
  )

  it.effect("0003 takes over how far each account's conversations had come", () =>
    onEmpty(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* upTo({
          "0001_create_schema": createSchema as Effect.Effect<void, unknown, SqlClient>,
          "0002_add_instants": addInstants as Effect.Effect<void, unknown, SqlClient>,
        })
        yield* sql`INSERT INTO accounts (id, kind, next_event_seq, created_at)
                   VALUES ('ann', 'customer', 9, 1), ('bob', 'customer', 1, 1)`
        yield* sql`INSERT INTO conversations (id, account_id, channel, state, created_at, updated_at)
                   VALUES ('one', 'ann', 'web', '{"followed": 8}', 1, 1), ('two', 'ann', 'web', '{"followed": 5}', 1, 1)`
        yield* migrate
        assert.deepEqual(yield* sql`SELECT id, followed_seq AS followed FROM accounts ORDER BY id`, [
          { id: "ann", followed: 5 },
          { id: "bob", followed: 0 },
        ])
      }),
    ),
  )
})
