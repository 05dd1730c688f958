/**
 * Usage summed by customer, period, UTC day, model and background, so that a balance and a history cost as much as they
 * have days, not calls. The ledger's own trigger keeps the sums, in whatever transaction an entry is written: they cannot
 * differ from it, also while an older recorder still runs.
 */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

export default Effect.gen(function* () {
  const sql = yield* SqlClient
  const sumsOf = (entries: string) =>
    sql.literal(`
      SELECT customer_id, period, at / 86400000, coalesce(model, ''), background, coalesce(sum(prompt), 0),
        coalesce(sum(cached), 0), coalesce(sum(completion), 0), sum(tokens), count(*)
      FROM ${entries} WHERE kind IN ('usage', 'correction')
      GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5`)
  const columns = sql.literal(
    "customer_id, period, day, model, background, prompt, cached, completion, charged, requests",
  )
  yield* sql`
    CREATE TABLE usage_days (
      customer_id text NOT NULL REFERENCES accounts (id),
      period integer NOT NULL,
      -- Days since 1970-01-01, UTC.
      day integer NOT NULL,
      model text NOT NULL,
      background boolean NOT NULL,
      prompt bigint NOT NULL,
      cached bigint NOT NULL,
      completion bigint NOT NULL,
      charged bigint NOT NULL,
      requests bigint NOT NULL,
      PRIMARY KEY (customer_id, period, day, model, background)
    )`
  yield* sql`
    CREATE FUNCTION sum_usage_days() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO usage_days AS d (${columns}) ${sumsOf("added")}
      ON CONFLICT (customer_id, period, day, model, background) DO UPDATE SET
        prompt = d.prompt + excluded.prompt, cached = d.cached + excluded.cached,
        completion = d.completion + excluded.completion, charged = d.charged + excluded.charged,
        requests = d.requests + excluded.requests;
      RETURN NULL;
    END $$`
  // Keeps writers of the ledger waiting until this is committed, so that no entry falls between the trigger and the sums.
  yield* sql`
    CREATE TRIGGER sum_usage_days AFTER INSERT ON ledger_entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION sum_usage_days()`
  yield* sql`INSERT INTO usage_days (${columns}) ${sumsOf("ledger_entries")}`
})
