/**
 * What each service may do in Postgres. Logins get it by being in a group role; the groups and their rights are made by
 * `npm run migrate`, after the tables. Invariant: exactly what stands here, also after it was less or more before; a table
 * that has no line here belongs to its owner alone. A login that may not make roles leaves them to who may.
 */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export const groups = ["berth_proxy", "berth_control", "berth_operator", "berth_ops"] as const
export type Group = (typeof groups)[number]
type Privilege = "SELECT" | "INSERT" | "UPDATE" | "DELETE"

const read = ["SELECT"] as const
/** What was written is never altered. */
const append = ["SELECT", "INSERT"] as const
const write = ["SELECT", "INSERT", "UPDATE"] as const

/** By table. The operator has no business here at all. */
export const tableRights: Readonly<Record<string, Readonly<Partial<Record<Group, ReadonlyArray<Privilege>>>>>> = {
  accounts: { berth_control: write, berth_ops: read },
  identities: { berth_control: write },
  sessions: { berth_control: append },
  link_codes: { berth_control: write },
  conversations: { berth_control: write },
  messages: { berth_control: append },
  orders: { berth_control: write },
  subscriptions: { berth_control: write, berth_ops: read },
  invoices: { berth_control: write, berth_ops: read },
  payments: { berth_control: write, berth_ops: read },
  packs: { berth_control: write, berth_ops: read },
  plan_changes: { berth_control: write, berth_ops: read },
  notification_preferences: { berth_control: write },
  stripe_cursor: { berth_control: ["SELECT", "UPDATE"], berth_ops: read },
  kimi_balances: { berth_control: append, berth_ops: read },
  agents: { berth_control: write },
  /** Ops ask and billing does; they alone could stop or delete an agent otherwise. */
  agent_requests: { berth_control: write, berth_ops: append },
  exports: { berth_control: write, berth_ops: read },
  agent_secrets: { berth_control: append },
  proxy_tokens: { berth_control: write, berth_proxy: read, berth_ops: read },
  allowances: { berth_control: write, berth_proxy: read, berth_ops: read },
  allowance_periods: { berth_control: write, berth_proxy: read, berth_ops: read },
  ledger_entries: { berth_control: append, berth_proxy: read, berth_ops: read },
  /** Kept by the ledger's trigger, with its owner's rights. */
  usage_days: { berth_control: read, berth_proxy: read, berth_ops: read },
  usage_cursor: { berth_control: ["SELECT", "UPDATE"], berth_proxy: read, berth_ops: read },
  customer_events: { berth_control: append },
  work: { berth_control: write },
  audit: { berth_control: append, berth_ops: append },
  switches: { berth_control: read, berth_ops: [...write, "DELETE"] },
  /** A service that starts looks whether the schema is up to date. */
  migrations: { berth_control: read, berth_ops: read },
}

/** Any number will do, as long as it is ours alone. */
const lock = 7_205_114

const makeGroups = `
  DO $$
  DECLARE name text;
  BEGIN
    FOREACH name IN ARRAY ARRAY['${groups.join("', '")}'] LOOP
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
        BEGIN
          EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION
          -- Roles are the server's: another database's migration may make it at the same moment.
          WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
        END;
      END IF;
    END LOOP;
  END $$`

const grantsOf = (group: Group): ReadonlyArray<string> => [
  `REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${group}`,
  ...Object.entries(tableRights).flatMap(([table, rights]) => {
    const own = rights[group]
    return own === undefined ? [] : [`GRANT ${own.join(", ")} ON ${table} TO ${group}`]
  }),
]

/** Makes the groups that are missing and gives each exactly its rights; safe when two do it at once. Needs the tables' owner. */
export const grantRights = Effect.gen(function* () {
  const sql = yield* SqlClient
  const apply = Effect.gen(function* () {
    yield* sql`SELECT pg_advisory_xact_lock(${lock})`
    yield* sql.unsafe(makeGroups)
    const there = yield* sql<{ readonly name: Group }>`
      SELECT rolname AS name FROM pg_roles WHERE ${sql.in("rolname", groups)}`
    for (const { name } of there) for (const grant of grantsOf(name)) yield* sql.unsafe(grant)
    return groups.filter((group) => !there.some(({ name }) => name === group))
  })
  const missing = yield* sql.withTransaction(apply)
  if (missing.length > 0)
    yield* Effect.logWarning(
      "This login may not make roles, so services have its own rights: make them (docs/runbooks/least-rights.md) and migrate again",
      { missing },
    )
}).pipe(Effect.withSpan("PostgresRights.grantRights"))
