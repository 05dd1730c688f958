import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { AllowanceSource } from "../src/AllowanceSource.ts"
import { CustomerId } from "../src/Ids.ts"
import { Refused } from "../src/Launch.ts"
import * as AllowanceSourcePostgres from "../src/live/AllowanceSourcePostgres.ts"
import * as Postgres from "../src/live/Postgres.ts"
import { ensure, migrate } from "../src/Migrations.ts"
import { type Group, groups, tableRights } from "../src/PostgresRights.ts"
import { emptyDatabase, freshDatabase } from "../src/testing/FreshDatabase.ts"
import { loginOf } from "../src/testing/GroupLogin.ts"

const at = <A, E, R>(url: Redacted.Redacted<string>, body: Effect.Effect<A, E, R | SqlClient>) =>
  Effect.provide(body, Postgres.layer(url, 2))

/** "refused", or what came of it. */
const attempt = (statement: string) =>
  SqlClient.use((sql) => sql.unsafe(statement)).pipe(
    Effect.match({
      onSuccess: () => "done",
      onFailure: ({ reason }) => (reason._tag === "AuthorizationError" ? "refused" : String(reason)),
    }),
  )

/** Every table with one of its columns. */
const tables = SqlClient.use(
  (sql) => sql<{ readonly name: string; readonly column: string }>`
    SELECT table_name AS name, min(column_name) AS "column" FROM information_schema.columns
    WHERE table_schema = 'public' GROUP BY 1 ORDER BY 1`,
)

const statements = (table: string, column: string) =>
  ({
    SELECT: `SELECT ${column} FROM ${table} WHERE false`,
    INSERT: `INSERT INTO ${table} DEFAULT VALUES`,
    UPDATE: `UPDATE ${table} SET ${column} = NULL`,
    DELETE: `DELETE FROM ${table}`,
  }) as const

const nobodys = (table: string) => [
  `TRUNCATE ${table}`,
  `ALTER TABLE ${table} ADD COLUMN more text`,
  `DROP TABLE ${table}`,
  `CREATE TRIGGER spy AFTER INSERT ON ${table} EXECUTE FUNCTION sum_usage_days()`,
]

const ddl = ["CREATE TABLE mine (id text)", "CREATE SCHEMA mine", "CREATE ROLE mine", "SELECT sum_usage_days()"]

const paid = SqlClient.use((sql) =>
  Effect.gen(function* () {
    yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES ('ann', 'customer', 1)`
    yield* sql`INSERT INTO allowances
      (customer_id, rev, tier, plan, next_plan, anchor, service_until, background_cap)
      VALUES ('ann', 1, 'pro', 1000, 1000, 0, 1, 100)`
    yield* sql`INSERT INTO allowance_periods VALUES ('ann', 0, 0, 1, 1000, false)`
    yield* sql`INSERT INTO proxy_tokens VALUES ('hash', 'ann', 'live', 0)`
  }),
)

const use = (source: string) =>
  SqlClient.use(
    (sql) => sql`INSERT INTO ledger_entries (source_id, customer_id, kind, period, tokens, at)
      VALUES (${source}, 'ann', 'usage', 0, 7, 5)`,
  )

describe("least rights in Postgres", () => {
  it.effect("every table says who may do what in it", () =>
    Effect.gen(function* () {
      const found = yield* at(yield* freshDatabase, tables)
      assert.deepStrictEqual(found.map(({ name }) => name).sort(), Object.keys(tableRights).sort())
    }).pipe(Effect.scoped),
  )

  it("the proxy may read six tables and write none, the operator nothing, and nobody alters what is only added to", () => {
    const of = (group: Group) =>
      Object.entries(tableRights).flatMap(([table, rights]) => (rights[group] ? [table] : []))
    assert.sameMembers(of("berth_proxy"), [
      "proxy_tokens",
      "allowances",
      "allowance_periods",
      "ledger_entries",
      "usage_days",
      "usage_cursor",
    ])
    assert.deepStrictEqual(of("berth_operator"), [])
    for (const { berth_proxy } of Object.values(tableRights))
      assert.sameMembers([...(berth_proxy ?? [])], berth_proxy ? ["SELECT"] : [])
    for (const table of ["ledger_entries", "customer_events", "audit", "agent_secrets"])
      assert.sameMembers([...(tableRights[table]?.berth_control ?? [])], ["SELECT", "INSERT"])
  })

  for (const group of groups)
    it.effect(`${group} can do exactly what stands there, table by table, and alters no table`, () =>
      Effect.gen(function* () {
        const url = yield* freshDatabase
        const found = yield* at(url, tables)
        yield* at(
          yield* loginOf(url, group),
          Effect.gen(function* () {
            for (const { name, column } of found) {
              const may: ReadonlyArray<string> = tableRights[name]?.[group] ?? []
              for (const [privilege, statement] of Object.entries(statements(name, column))) {
                const outcome = yield* attempt(statement)
                assert.strictEqual(outcome !== "refused", may.includes(privilege), `${statement}: ${outcome}`)
              }
              for (const statement of nobodys(name)) assert.strictEqual(yield* attempt(statement), "refused", statement)
            }
            for (const statement of ddl) assert.strictEqual(yield* attempt(statement), "refused", statement)
          }),
        )
      }).pipe(Effect.scoped),
    )

  it.effect("the proxy reads all that an allowance is rebuilt from, and neither secrets nor conversations", () =>
    Effect.gen(function* () {
      const url = yield* freshDatabase
      yield* at(url, Effect.andThen(paid, use("usage:1:1")))
      const login = yield* loginOf(url, "berth_proxy")
      const layer = AllowanceSourcePostgres.layer.pipe(Layer.provide(Postgres.layer(login, 2)))
      const source = Context.get(yield* Layer.build(layer), AllowanceSource)
      const ann = CustomerId.make("ann")
      assert.strictEqual(Option.getOrThrow(yield* source.snapshot(ann, ["usage:1:1"])).used, 7)
      assert.deepStrictEqual(yield* source.customerOf("hash"), Option.some(ann))
      assert.deepInclude((yield* source.usage(ann, 0))[0], { charged: 7, requests: 1 })
      assert.strictEqual((yield* source.customers).length, 1)
      for (const secret of ["agent_secrets", "conversations", "messages", "sessions", "accounts", "orders"])
        assert.strictEqual(yield* at(login, attempt(`SELECT * FROM ${secret}`)), "refused", secret)
    }).pipe(Effect.scoped),
  )

  it.effect("control books usage, and the ledger keeps its sums, which control could not write itself", () =>
    Effect.gen(function* () {
      const url = yield* freshDatabase
      yield* at(url, paid)
      const login = yield* loginOf(url, "berth_control")
      yield* at(login, use("usage:1:1"))
      assert.deepEqual(
        yield* at(
          login,
          SqlClient.use((sql) => sql`SELECT charged FROM usage_days`),
        ),
        [{ charged: 7 }],
      )
      for (const statement of [
        "UPDATE usage_days SET charged = 0",
        "UPDATE ledger_entries SET tokens = 0",
        "DELETE FROM ledger_entries",
        "DELETE FROM audit",
        "UPDATE customer_events SET seq = 1",
      ])
        assert.strictEqual(yield* at(login, attempt(statement)), "refused", statement)
    }).pipe(Effect.scoped),
  )

  it.effect("two databases migrate at once, and again, and rights that were more are less afterwards", () =>
    Effect.gen(function* () {
      const urls = [yield* emptyDatabase, yield* emptyDatabase] as const
      yield* Effect.all(
        [...urls, ...urls].map((url) => at(url, migrate)),
        { concurrency: "unbounded" },
      )
      const url = urls[0]
      yield* at(
        url,
        SqlClient.use((sql) => sql`GRANT ALL ON agent_secrets TO berth_proxy`),
      )
      const login = yield* loginOf(url, "berth_proxy")
      assert.strictEqual(yield* at(login, attempt("SELECT * FROM agent_secrets")), "done")
      yield* at(url, migrate)
      assert.strictEqual(yield* at(login, attempt("SELECT * FROM agent_secrets")), "refused")
    }).pipe(Effect.scoped),
  )

  it.effect("a service starts without the right to change the schema, and says what to do if that is too old", () =>
    Effect.gen(function* () {
      const url = yield* freshDatabase
      const login = yield* loginOf(url, "berth_control" satisfies Group)
      yield* at(login, ensure)
      yield* at(
        url,
        SqlClient.use((sql) => sql`DELETE FROM migrations WHERE migration_id > 5`),
      )
      const exit = yield* Effect.exit(at(login, ensure))
      const error = Exit.isFailure(exit) ? Option.getOrUndefined(Exit.findErrorOption(exit)) : undefined
      assert.instanceOf(error, Refused)
      assert.include(String(error), "npm run migrate")
    }).pipe(Effect.scoped),
  )
})
