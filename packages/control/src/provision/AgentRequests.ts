/**
 * What customers and ops ask of an agent as a whole: to delete it, to delete it although its data was not exported, to go on
 * with its bot's new token, to restart it, or to have it pay by another token. Asked in a row and in the audit, carried out
 * by billing: whoever asks needs no right to change an agent. Before a deletion the subscription is ended, so that nobody
 * goes on paying for what is deleted. Safe when two carry out at once, and after a crash anywhere.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { SqlClient } from "effect/sql/SqlClient"
import { Audit } from "../billing/Audit.ts"
import { Payments } from "../billing/Payments.ts"
import { Agents } from "./Agents.ts"
import type { Change } from "./DesiredState.ts"

export type Action = "delete" | "waive-export" | "new-bot-token" | "restart" | "rotate-token"

/** What the request comes to when it is carried out. */
const changeOf = Effect.fnUntraced(function* ({ customerId, action, at }: Request) {
  switch (action) {
    case "delete":
      return { _tag: "Deprovision" } satisfies Change as Change
    case "waive-export":
      return { _tag: "WaiveExport" } satisfies Change as Change
    case "restart":
      return { _tag: "Restart", at } satisfies Change as Change
    case "rotate-token":
      return undefined
    case "new-bot-token": {
      const sql = yield* SqlClient
      const [newest] = yield* sql<{ readonly version: number }>`
        SELECT coalesce(max(version), 0) AS version FROM agent_secrets
        WHERE customer_id = ${customerId} AND purpose = 'botToken'`
      return { _tag: "NewBotToken", version: newest?.version ?? 0 } satisfies Change as Change
    }
  }
})

interface Request {
  readonly id: number
  readonly customerId: CustomerId
  readonly action: Action
  readonly actor: string
  /** Epoch ms. */
  readonly at: number
}

/** Asks, and says in the audit who did and why. */
export const ask = Effect.fn("AgentRequests.ask")(function* (
  customerId: CustomerId,
  action: Action,
  actor: string,
  reason: string,
) {
  const sql = yield* SqlClient
  const audit = yield* Audit
  const at = yield* Clock.currentTimeMillis
  yield* sql.withTransaction(
    Effect.andThen(
      sql`
        INSERT INTO agent_requests (customer_id, action, actor, reason, at)
        VALUES (${customerId}, ${action}, ${actor}, ${reason}, ${at})`,
      audit.write(actor, `agent.${action}.asked`, customerId, { reason }),
    ),
  )
})

const endSubscriptions = Effect.fnUntraced(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const payments = yield* Payments
  const running = yield* sql<{ readonly id: string }>`
    SELECT id FROM subscriptions WHERE account_id = ${customerId} AND status <> 'canceled'`
  yield* Effect.forEach(running, ({ id }) => payments.cancelSubscription(id), { discard: true })
})

const handle = Effect.fn("AgentRequests.handle")(function* (request: Request) {
  const { id, customerId, action, actor } = request
  const sql = yield* SqlClient
  const agents = yield* Agents
  if (action === "delete") yield* endSubscriptions(customerId)
  yield* sql.withTransaction(
    Effect.gen(function* () {
      const open = yield* sql`SELECT 1 FROM agent_requests WHERE id = ${id} AND done_at IS NULL FOR UPDATE`
      if (open.length === 0) return
      const change = yield* changeOf(request)
      const job = yield* change === undefined
        ? agents.rotateToken(customerId, actor)
        : agents.change(customerId, change, actor)
      yield* sql`
        UPDATE agent_requests SET done_at = ${yield* Clock.currentTimeMillis}, outcome = ${job ?? "nothing to do"}
        WHERE id = ${id}`
    }),
  )
})

/** Everything that is asked, the oldest first; one that fails keeps no other waiting. Whether any was carried out. */
export const carryOut = Effect.gen(function* () {
  const sql = yield* SqlClient
  const open = yield* sql<Request>`
    SELECT id, customer_id AS "customerId", action, actor, at FROM agent_requests
    WHERE done_at IS NULL ORDER BY id LIMIT 100`
  const results = yield* Effect.forEach(open, (request) => Effect.result(handle(request)))
  const failed = results.find(Result.isFailure)
  return failed === undefined ? open.length > 0 : yield* Effect.fail(failed.failure)
}).pipe(Effect.withSpan("AgentRequests.carryOut"))
