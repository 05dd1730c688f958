/**
 * What Stripe knows of a customer beside the subscription is mirrored, and everything that billing decides follows from the
 * mirror and the ledger. Instants are epoch milliseconds, money US cents, tokens charged tokens.
 */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  // Counts what was applied from Stripe: who read Stripe before somebody else applied something reads again.
  yield* sql`ALTER TABLE accounts ADD COLUMN billing_rev bigint NOT NULL DEFAULT 0`
  yield* sql`
    ALTER TABLE subscriptions
      -- What renewals charge for; tier is what was bought first.
      ADD COLUMN next_tier text,
      ADD COLUMN ended boolean NOT NULL DEFAULT false,
      -- Since when the agent is suspended because service has ended; null while it is served.
      ADD COLUMN lapsed_at bigint`
  yield* sql`
    CREATE TABLE invoices (
      id text PRIMARY KEY,
      account_id text NOT NULL REFERENCES accounts (id),
      subscription_id text NOT NULL REFERENCES subscriptions (id),
      reason text NOT NULL CHECK (reason IN ('create', 'cycle', 'update', 'other')),
      status text NOT NULL CHECK (status IN ('draft', 'open', 'paid', 'void', 'uncollectible')),
      tier text,
      period_start bigint NOT NULL,
      period_end bigint NOT NULL,
      amount_due bigint NOT NULL,
      amount_paid bigint NOT NULL,
      attempts integer NOT NULL,
      next_attempt_at bigint,
      page_url text,
      payment_id text,
      -- Of an upgrade: the tokens that it added, and where; null until then.
      granted bigint,
      granted_pool text CHECK (granted_pool IN ('plan', 'packs')),
      created_at bigint NOT NULL
    )`
  yield* sql`CREATE INDEX invoices_by_account ON invoices (account_id, period_end)`
  yield* sql`CREATE INDEX invoices_failed ON invoices (account_id) WHERE status = 'open' AND attempts > 0`
  yield* sql`
    CREATE TABLE packs (
      id text PRIMARY KEY,
      account_id text NOT NULL REFERENCES accounts (id),
      pack text NOT NULL,
      tokens bigint NOT NULL,
      cents bigint NOT NULL,
      status text NOT NULL CHECK (status IN ('open', 'paid', 'expired')),
      checkout_id text,
      checkout_url text,
      payment_id text,
      created_at bigint NOT NULL,
      paid_at bigint
    )`
  yield* sql`CREATE INDEX packs_by_account ON packs (account_id)`
  yield* sql`CREATE INDEX packs_by_checkout ON packs (checkout_id)`
  yield* sql`
    CREATE TABLE payments (
      id text PRIMARY KEY,
      account_id text NOT NULL REFERENCES accounts (id),
      amount bigint NOT NULL,
      refunded bigint NOT NULL,
      disputed bigint NOT NULL,
      -- How many of the cents that went back are accounted for, and the tokens that were taken for them.
      settled bigint NOT NULL DEFAULT 0,
      taken bigint NOT NULL DEFAULT 0
    )`
  yield* sql`CREATE INDEX payments_by_account ON payments (account_id)`
  yield* sql`
    ALTER TABLE ledger_entries ADD COLUMN pool text NOT NULL DEFAULT 'plan' CHECK (pool IN ('plan', 'packs'))`
  yield* sql`
    CREATE TABLE plan_changes (
      id text PRIMARY KEY,
      customer_id text NOT NULL REFERENCES accounts (id),
      change jsonb NOT NULL,
      quote jsonb NOT NULL,
      status text NOT NULL CHECK (status IN ('quoted', 'accepted', 'done', 'refused')),
      -- Why it was refused.
      reason text,
      quoted_at bigint NOT NULL,
      accepted_at bigint,
      done_at bigint
    )`
  yield* sql`CREATE INDEX plan_changes_by_customer ON plan_changes (customer_id)`
  yield* sql`
    CREATE TABLE notification_preferences (
      account_id text NOT NULL REFERENCES accounts (id),
      category text NOT NULL,
      channel text NOT NULL CHECK (channel IN ('mail', 'telegram')),
      enabled boolean NOT NULL,
      PRIMARY KEY (account_id, category, channel)
    )`
  // Up to when Stripe's list of events is known to have been read.
  yield* sql`
    CREATE TABLE stripe_cursor (
      one boolean PRIMARY KEY DEFAULT true CHECK (one),
      read_until bigint NOT NULL
    )`
  yield* sql`INSERT INTO stripe_cursor (read_until) VALUES (0)`
  // Our balance at the upstream, as it was read, in millionths of its currency.
  yield* sql`
    CREATE TABLE kimi_balances (
      at bigint PRIMARY KEY,
      available bigint NOT NULL
    )`
  yield* sql`CREATE INDEX work_done ON work (done_at) WHERE done_at IS NOT NULL`
})
