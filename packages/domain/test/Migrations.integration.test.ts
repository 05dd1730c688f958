import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import { AllowanceChange } from "../src/Allowance.ts"
import * as Postgres from "../src/live/Postgres.ts"
import { migrate, migrations } from "../src/Migrations.ts"
import { emptyDatabase } from "../src/testing/FreshDatabase.ts"

const onEmpty = <A, E>(test: Effect.Effect<A, E, SqlClient>) =>
  Effect.flatMap(emptyDatabase, (url) => Effect.provide(test, Postgres.layer(url, 4))).pipe(Effect.scoped)

/** Brings a database to a schema of the past, as it stood after so many migrations. */
const upTo = (count: number) =>
  Migrator.make({})({
    loader: Migrator.fromRecord(Object.fromEntries(Object.entries(migrations).slice(0, count))),
    table: "migrations",
  })

describe("the schema", () => {
  it.effect("is brought up to date once, though two start at the same time", () =>
    onEmpty(
      Effect.gen(function* () {
        const runs = yield* Effect.all([migrate, migrate], { concurrency: "unbounded" })
        assert.deepStrictEqual(runs.map((run) => run.length).sort(), [0, 11], "the second found nothing to do")
      }),
    ),
  )

  it.effect("0002 counts what was running as paid to its period's end, and agents as not heard of yet", () =>
    onEmpty(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* upTo(1)
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
        yield* upTo(2)
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

  it.effect(
    "0004 gives every allowance its tier's cap on background turns, also in changes that are on their way",
    () =>
      onEmpty(
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* upTo(3)
          yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES ('ann', 'customer', 1), ('berth', 'internal', 1)`
          yield* sql`INSERT INTO allowances (customer_id, rev, tier, plan, next_plan, anchor, service_until)
                   VALUES ('ann', 5, 'starter', 1, 1, 1, 1), ('berth', 1, 'internal', 1, 1, 1, 1)`
          yield* sql`INSERT INTO ledger_entries (source_id, customer_id, kind, period, tokens, at)
                   VALUES ('usage:1', 'ann', 'usage', 0, 9, 1)`
          const terms = {
            tier: "starter",
            plan: 1,
            nextPlan: 1,
            anchor: 1,
            serviceUntil: 1,
            paused: false,
            blocked: true,
          }
          const change = { customerId: "ann", rev: 5, period: 0, packsDelta: 0, terms: { ...terms, tokens: [] } }
          yield* sql`INSERT INTO work (id, queue, lane, payload, due_at, created_at)
                   VALUES ('allowance:ann:5', 'allowance', 'ann', ${JSON.stringify(change)}::text::jsonb, 1, 1)`
          yield* migrate
          const rows = yield* sql`SELECT customer_id AS id, rev, daily_cap, background_cap FROM allowances ORDER BY 1`
          assert.deepEqual(rows, [
            { id: "ann", rev: 6, daily_cap: null, background_cap: 200_000 },
            { id: "berth", rev: 2, daily_cap: null, background_cap: 50_000_000 },
          ])
          assert.deepEqual(yield* sql`SELECT background FROM ledger_entries`, [{ background: false }])
          const [row] = yield* sql`SELECT payload FROM work`
          const read = yield* Schema.decodeUnknownEffect(AllowanceChange)(row?.["payload"])
          assert.deepInclude(read.terms, { blocked: true, dailyCap: null, backgroundCap: 200_000 })
        }),
      ),
  )

  it.effect("0005 sums what is in the ledger, and from then on every entry once", () =>
    onEmpty(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* upTo(4)
        const day = 86_400_000
        const use = (source: string, kind: string, tokens: number, at: number, background = false) => sql`
          INSERT INTO ledger_entries
            (source_id, customer_id, kind, period, tokens, model, prompt, cached, completion, background, at)
          VALUES (${source}, 'ann', ${kind}, 0, ${tokens}, 'kimi-k2.6', ${tokens}, 1, 2, ${background}, ${at})
          ON CONFLICT (source_id) DO NOTHING`
        yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES ('ann', 'customer', 1)`
        yield* use("grant:1", "grant", 1_000, 0)
        yield* use("usage:1", "usage", 10, day - 1)
        yield* use("usage:2", "usage", 20, day)
        yield* use("lost:1", "lost", 0, day)
        yield* migrate
        yield* use("usage:3", "usage", 5, 2 * day - 1)
        yield* use("usage:3", "usage", 5, 2 * day - 1)
        yield* use("correction:1", "correction", 7, day, true)
        yield* use("grant:2", "grant", 1_000, day)
        const sums = yield* sql`
          SELECT day, background, prompt, cached, completion, charged, requests FROM usage_days ORDER BY day, background`
        assert.deepEqual(sums, [
          { day: 0, background: false, prompt: 10, cached: 1, completion: 2, charged: 10, requests: 1 },
          { day: 1, background: false, prompt: 25, cached: 2, completion: 4, charged: 25, requests: 2 },
          { day: 1, background: true, prompt: 7, cached: 1, completion: 2, charged: 7, requests: 1 },
        ])
      }),
    ),
  )

  it.effect("0007 counts agents of before as well", () =>
    onEmpty(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* upTo(6)
        yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES ('ann', 'customer', 1)`
        yield* sql`INSERT INTO orders (id, account_id, tier, facts, email, telegram_user_id, bot_username, status, created_at)
                   VALUES ('ord_1', 'ann', 'pro', '{}', 'a@b.c', '1', 'bot', 'paid', 1)`
        yield* sql`INSERT INTO agents (customer_id, order_id, generation, desired, phase, created_at, updated_at)
                   VALUES ('ann', 'ord_1', 1, '{}', 'active', 1, 1)`
        yield* migrate
        assert.deepEqual(yield* sql`SELECT phase, troubles FROM agents`, [{ phase: "active", troubles: [] }])
      }),
    ),
  )

  it.effect("0008 has room for exports and requests of accounts that were there before", () =>
    onEmpty(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* upTo(7)
        yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES ('ann', 'customer', 1)`
        yield* migrate
        yield* sql`INSERT INTO exports (customer_id, generation, key, size, sha256, exported_at, expires_at)
                   VALUES ('ann', 2, 'ann/2.tar.gz.age', 20000000000, 'x', 1, 2)`
        yield* sql`INSERT INTO agent_requests (customer_id, action, actor, reason, at) VALUES ('ann', 'delete', 'ops', 'x', 1)`
        assert.deepEqual(yield* sql`SELECT size, removed_at FROM exports`, [{ size: 20_000_000_000, removed_at: null }])
        assert.deepEqual(yield* sql`SELECT done_at FROM agent_requests`, [{ done_at: null }])
      }),
    ),
  )

  it.effect("0009 keeps what was asked before, and takes a new bot token but nothing else", () =>
    onEmpty(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* upTo(8)
        const asks = (action: string) => sql`
          INSERT INTO agent_requests (customer_id, action, actor, reason, at) VALUES ('ann', ${action}, 'ops', 'x', 1)`
        yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES ('ann', 'customer', 1)`
        yield* asks("delete")
        yield* migrate
        yield* asks("new-bot-token")
        assert.strictEqual((yield* Effect.flip(asks("anything")))._tag, "SqlError")
        assert.deepEqual(yield* sql`SELECT action FROM agent_requests ORDER BY id`, [
          { action: "delete" },
          { action: "new-bot-token" },
        ])
      }),
    ),
  )

  it.effect("0010 keeps what was asked before, and takes restarts and rotations but nothing else", () =>
    onEmpty(
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* upTo(9)
        const asks = (action: string) => sql`
          INSERT INTO agent_requests (customer_id, action, actor, reason, at) VALUES ('ann', ${action}, 'ops', 'x', 1)`
        yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES ('ann', 'customer', 1)`
        yield* asks("new-bot-token")
        yield* migrate
        for (const action of ["restart", "rotate-token"]) yield* asks(action)
        assert.strictEqual((yield* Effect.flip(asks("anything")))._tag, "SqlError")
        const stored = yield* sql<{ action: string }>`SELECT action FROM agent_requests ORDER BY id`
        assert.deepStrictEqual(
          stored.map(({ action }) => action),
          ["new-bot-token", "restart", "rotate-token"],
        )
      }),
    ),
  )
})
