/**
 * The first schema. Instants are epoch milliseconds in bigint columns, the unit that every rule computes with; token
 * amounts and cents are integers. Ledger, events and audit are append-only.
 */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`
    CREATE TABLE accounts (
      id text PRIMARY KEY,
      kind text NOT NULL CHECK (kind IN ('customer', 'internal')),
      email text,
      language text,
      stripe_customer_id text UNIQUE,
      next_event_seq bigint NOT NULL DEFAULT 1,
      created_at bigint NOT NULL
    )`
  yield* sql`
    CREATE TABLE identities (
      provider text NOT NULL,
      subject text NOT NULL,
      account_id text NOT NULL REFERENCES accounts (id),
      name text,
      created_at bigint NOT NULL,
      PRIMARY KEY (provider, subject)
    )`
  yield* sql`
    CREATE TABLE sessions (
      token_hash text PRIMARY KEY,
      account_id text NOT NULL REFERENCES accounts (id),
      created_at bigint NOT NULL,
      expires_at bigint NOT NULL
    )`
  yield* sql`
    CREATE TABLE link_codes (
      code_hash text PRIMARY KEY,
      account_id text NOT NULL REFERENCES accounts (id),
      conversation_id text NOT NULL,
      expires_at bigint NOT NULL,
      used_at bigint
    )`
  yield* sql`
    CREATE TABLE conversations (
      id text PRIMARY KEY,
      account_id text NOT NULL REFERENCES accounts (id),
      channel text NOT NULL CHECK (channel IN ('web', 'telegram')),
      state jsonb NOT NULL,
      version bigint NOT NULL DEFAULT 0,
      created_at bigint NOT NULL,
      updated_at bigint NOT NULL
    )`
  yield* sql`CREATE INDEX conversations_by_account ON conversations (account_id)`
  yield* sql`
    CREATE TABLE messages (
      conversation_id text NOT NULL REFERENCES conversations (id),
      seq bigint NOT NULL,
      role text NOT NULL CHECK (role IN ('user', 'assistant')),
      body jsonb NOT NULL,
      client_id text,
      at bigint NOT NULL,
      PRIMARY KEY (conversation_id, seq),
      UNIQUE (conversation_id, client_id)
    )`
  yield* sql`
    CREATE TABLE orders (
      id text PRIMARY KEY,
      account_id text NOT NULL REFERENCES accounts (id),
      conversation_id text REFERENCES conversations (id),
      tier text NOT NULL,
      facts jsonb NOT NULL,
      email text NOT NULL,
      telegram_user_id text NOT NULL,
      bot_username text NOT NULL,
      status text NOT NULL CHECK (status IN ('open', 'paid', 'canceled')),
      checkout_id text,
      checkout_url text,
      checkout_attempt integer NOT NULL DEFAULT 0,
      subscription_id text,
      job_id text,
      created_at bigint NOT NULL,
      paid_at bigint
    )`
  yield* sql`CREATE INDEX orders_by_account ON orders (account_id)`
  yield* sql`
    CREATE TABLE subscriptions (
      id text PRIMARY KEY,
      account_id text NOT NULL REFERENCES accounts (id),
      order_id text NOT NULL REFERENCES orders (id),
      tier text NOT NULL,
      status text NOT NULL,
      anchor bigint NOT NULL,
      period_start bigint NOT NULL,
      period_end bigint NOT NULL,
      cancel_at bigint,
      updated_at bigint NOT NULL
    )`
  yield* sql`
    CREATE TABLE agents (
      customer_id text PRIMARY KEY REFERENCES accounts (id),
      order_id text NOT NULL UNIQUE REFERENCES orders (id),
      generation bigint NOT NULL,
      desired jsonb NOT NULL,
      phase text NOT NULL,
      reported_generation bigint NOT NULL DEFAULT 0,
      reported_seq bigint NOT NULL DEFAULT 0,
      steps jsonb NOT NULL DEFAULT '[]',
      failure jsonb,
      created_at bigint NOT NULL,
      updated_at bigint NOT NULL
    )`
  yield* sql`
    CREATE TABLE agent_secrets (
      customer_id text NOT NULL REFERENCES accounts (id),
      purpose text NOT NULL,
      version integer NOT NULL,
      envelope text NOT NULL,
      created_at bigint NOT NULL,
      PRIMARY KEY (customer_id, purpose, version)
    )`
  yield* sql`
    CREATE TABLE proxy_tokens (
      hash text PRIMARY KEY,
      customer_id text NOT NULL REFERENCES accounts (id),
      state text NOT NULL CHECK (state IN ('live', 'revoked')),
      created_at bigint NOT NULL
    )`
  yield* sql`CREATE INDEX proxy_tokens_by_customer ON proxy_tokens (customer_id)`
  yield* sql`
    CREATE TABLE allowances (
      customer_id text PRIMARY KEY REFERENCES accounts (id),
      rev bigint NOT NULL,
      tier text NOT NULL,
      plan bigint NOT NULL,
      next_plan bigint NOT NULL,
      packs bigint NOT NULL DEFAULT 0,
      anchor bigint NOT NULL,
      service_until bigint NOT NULL,
      paused boolean NOT NULL DEFAULT false,
      blocked boolean NOT NULL DEFAULT false
    )`
  yield* sql`
    CREATE TABLE allowance_periods (
      customer_id text NOT NULL REFERENCES accounts (id),
      number integer NOT NULL,
      starts_at bigint NOT NULL,
      ends_at bigint NOT NULL,
      plan bigint NOT NULL,
      provisional boolean NOT NULL,
      PRIMARY KEY (customer_id, number)
    )`
  yield* sql`
    CREATE TABLE ledger_entries (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      source_id text NOT NULL UNIQUE,
      customer_id text NOT NULL REFERENCES accounts (id),
      kind text NOT NULL CHECK (kind IN ('grant', 'usage', 'lost', 'correction', 'reversal')),
      period integer NOT NULL,
      tokens bigint NOT NULL,
      model text,
      prompt integer,
      cached integer,
      completion integer,
      reasoning integer,
      price_version text,
      estimated boolean NOT NULL DEFAULT false,
      trace_id text,
      at bigint NOT NULL
    )`
  yield* sql`CREATE INDEX ledger_by_customer ON ledger_entries (customer_id, period)`
  yield* sql`
    CREATE TABLE usage_cursor (
      one boolean PRIMARY KEY DEFAULT true CHECK (one),
      epoch text NOT NULL,
      cursor text NOT NULL
    )`
  yield* sql`INSERT INTO usage_cursor (epoch, cursor) VALUES ('', '0-0')`
  yield* sql`
    CREATE TABLE customer_events (
      customer_id text NOT NULL REFERENCES accounts (id),
      seq bigint NOT NULL,
      type text NOT NULL,
      payload jsonb NOT NULL,
      source_id text NOT NULL UNIQUE,
      at bigint NOT NULL,
      PRIMARY KEY (customer_id, seq)
    )`
  yield* sql`
    CREATE TABLE work (
      id text PRIMARY KEY,
      queue text NOT NULL,
      lane text NOT NULL,
      payload jsonb NOT NULL,
      attempts integer NOT NULL DEFAULT 0,
      due_at bigint NOT NULL,
      done_at bigint,
      dead_reason text,
      position bigint GENERATED ALWAYS AS IDENTITY,
      created_at bigint NOT NULL
    )`
  yield* sql`CREATE INDEX work_due ON work (queue, due_at) WHERE done_at IS NULL AND dead_reason IS NULL`
  yield* sql`CREATE INDEX work_lanes ON work (queue, lane, position) WHERE done_at IS NULL AND dead_reason IS NULL`
  yield* sql`
    CREATE TABLE audit (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      actor text NOT NULL,
      action text NOT NULL,
      subject text NOT NULL,
      detail jsonb NOT NULL DEFAULT '{}',
      at bigint NOT NULL
    )`
})
