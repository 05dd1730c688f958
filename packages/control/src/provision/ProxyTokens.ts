/**
 * The tokens by which agents pay at the token-proxy. Two are live while one takes the other's place: the new one from the
 * moment it is asked for, the old one until the agent is known to run with the new one, or not to run at all. Nothing but
 * hashes is kept.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as ProxyToken from "@berth/domain/ProxyToken"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { Allowances } from "../billing/Allowances.ts"
import { Audit } from "../billing/Audit.ts"

/** Another live token, younger than all before it. Joins the caller's transaction, which holds the account's row. */
export const add = Effect.fn("ProxyTokens.add")(function* (customerId: CustomerId, token: Redacted.Redacted<string>) {
  const sql = yield* SqlClient
  const now = yield* Clock.currentTimeMillis
  yield* sql`
    INSERT INTO proxy_tokens (hash, customer_id, state, created_at)
    SELECT ${ProxyToken.hashOf(Redacted.value(token))}, ${customerId}, 'live', greatest(${now}::bigint, coalesce(max(created_at) + 1, 0))
    FROM proxy_tokens WHERE customer_id = ${customerId}`
})

/** Ends every token but the youngest; the proxies hear of it. Joins the caller's transaction. Nothing happens twice. */
export const endOlder = Effect.fn("ProxyTokens.endOlder")(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const ended = yield* sql`
    UPDATE proxy_tokens SET state = 'revoked'
    WHERE customer_id = ${customerId} AND state = 'live'
      AND created_at < (SELECT max(created_at) FROM proxy_tokens WHERE customer_id = ${customerId})
    RETURNING hash`
  if (ended.length === 0) return
  yield* (yield* Allowances).tokensChanged(customerId)
  yield* (yield* Audit).write("system", "agent.oldTokensEnded", customerId, { tokens: ended.length })
})
