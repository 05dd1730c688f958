/**
 * Opens the periods that are due, for customers whose agent is idle just then; a busy one's is opened by the proxies' store.
 * Both use one source id, so whichever comes first wins. Nobody is given a period past the end of their service.
 */
import * as Limits from "@berth/domain/Allowance/Limit"
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { SqlClient } from "effect/sql/SqlClient"
import { Allowances } from "./Allowances.ts"
import * as Balances from "./Balances.ts"

/** One customer's. Joins the caller's transaction; how many were opened. */
export const openDue = Effect.fn("Periods.openDue")(function* (customerId: CustomerId, now: number) {
  const sql = yield* SqlClient
  yield* Balances.lock([customerId])
  const limit = yield* Balances.load(customerId)
  if (limit === undefined) return 0
  const { limit: after, opened } = Limits.openDue(limit, now)
  for (const period of opened) {
    yield* sql`
      INSERT INTO ledger_entries (source_id, customer_id, kind, period, tokens, at)
      VALUES (${`period:${customerId}:${period.period}`}, ${customerId}, 'grant', ${period.period}, ${period.plan}, ${now})`
    yield* Balances.addPeriod(customerId, period)
  }
  if (opened.length === 0) return 0
  yield* Balances.save(customerId, after)
  // The proxies' store may have opened them by itself, with another plan than ours.
  yield* (yield* Allowances).tokensChanged(customerId)
  return opened.length
})

/** How many periods were opened. */
export const open = Effect.gen(function* () {
  const sql = yield* SqlClient
  const now = yield* Clock.currentTimeMillis
  const due = yield* sql<{ readonly id: CustomerId }>`
    SELECT a.customer_id AS id FROM allowances a
    WHERE a.service_until > ${now} AND ${now} >= (
      SELECT max(ends_at) FROM allowance_periods p WHERE p.customer_id = a.customer_id)`
  const opened = yield* Effect.forEach(due, ({ id }) => Effect.exit(sql.withTransaction(openDue(id, now))))
  // One customer whose period can't be opened keeps no other from theirs.
  for (const exit of opened) if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
  return opened.reduce((sum, exit) => sum + (Exit.isSuccess(exit) ? exit.value : 0), 0)
}).pipe(Effect.withSpan("Periods.open"))
