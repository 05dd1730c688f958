/**
 * The desired state of agents. `start` makes the agent of a paid order, once; `change` moves it to its next generation.
 * Everything that goes with it (secrets, allowance, grant, job, audit) is written in the same transaction or not at all.
 */
import * as Period from "@berth/domain/Allowance/Period"
import type { CustomerId, OrderId } from "@berth/domain/Ids"
import { Desired } from "@berth/domain/Jobs"
import * as ProxyToken from "@berth/domain/ProxyToken"
import { tiers } from "@berth/domain/Tiers"
import { Work } from "@berth/domain/Work"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Allowances } from "../billing/Allowances.ts"
import { Audit } from "../billing/Audit.ts"
import type { Order } from "../billing/Orders.ts"
import { isProvisional, serviceUntil, type Term } from "../billing/ServiceTerm.ts"
import { AgentSecrets } from "./AgentSecrets.ts"
import { type Change, decide, desiredOf, isBlocked } from "./DesiredState.ts"
import { JobOutbox } from "./JobOutbox.ts"
import * as ProxyTokens from "./ProxyTokens.ts"

/** The order is paid, but a secret that only the customer can give is not there yet. Try again once it is. */
export class SecretMissing extends Schema.TaggedError<SecretMissing>()("SecretMissing", {
  orderId: Schema.String,
  purpose: Schema.String,
}) {}

const decodeDesired = Schema.decodeUnknownEffect(Desired)

export class Agents extends Context.Service<
  Agents,
  {
    /** Joins the caller's transaction, which holds the account's row and has seen that the order is paid. The job's id, the same on every repeat. */
    start(order: Order): Effect.Effect<string, SecretMissing | SqlError>
    /** The new job's id, or undefined if there is no such agent or nothing changes. `actor` is who asked, for the audit. */
    change(customerId: CustomerId, change: Change, actor: string): Effect.Effect<string | undefined, SqlError>
    /**
     * Has the agent pay by another token. The one before it stays live until the agent is reported to run with the new one.
     * As `change`.
     */
    rotateToken(customerId: CustomerId, actor: string): Effect.Effect<string | undefined, SqlError>
  }
>()("@berth/control/Agents") {
  static readonly layer: Layer.Layer<
    Agents,
    never,
    SqlClient | SecureRandom.SecureRandom | AgentSecrets | Allowances | JobOutbox | Audit | Work
  > = Layer.effect(
    Agents,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const random = yield* SecureRandom.SecureRandom
      // allow(pure): this is the port; each run of the effect draws anew
      const draw = random.randomBytes(32)
      const secrets = yield* AgentSecrets
      const allowances = yield* Allowances
      const jobs = yield* JobOutbox
      const audit = yield* Audit
      const work = yield* Work

      /** The version of a new token, which is live at once. */
      const mintProxyToken = Effect.fn("Agents.mintProxyToken")(
        function* (customerId: CustomerId) {
          const token = ProxyToken.mint(yield* draw)
          yield* ProxyTokens.add(customerId, token)
          return yield* secrets.put(customerId, "proxyToken", token)
        },
        Effect.provideService(SqlClient, sql),
      )

      /** Mints what the pod needs beside the customer's bot token; every secret's version. */
      const sealAll = Effect.fn("Agents.sealAll")(function* (order: Order) {
        const customerId = order.accountId
        const botToken = (yield* secrets.current(customerId)).find((one) => one.purpose === "botToken")
        if (botToken === undefined) return yield* new SecretMissing({ orderId: order.id, purpose: "botToken" })
        const gateway = Redacted.make(Buffer.from(yield* draw).toString("hex"))
        return {
          botToken: botToken.version,
          proxyToken: yield* mintProxyToken(customerId),
          gatewayToken: yield* secrets.put(customerId, "gatewayToken", gateway),
        }
      })

      const openAllowance = Effect.fn("Agents.openAllowance")(function* (order: Order) {
        const [subscription] = yield* sql<Term & { readonly anchor: number }>`
          SELECT anchor, paid_until AS "paidUntil", cancel_at AS "cancelAt" FROM subscriptions
          WHERE id = ${order.subscriptionId}`
        if (subscription === undefined) return yield* Effect.die(`paid order ${order.id} has no subscription`)
        const plan = tiers[order.tier].monthlyTokens
        const startsAt = subscription.anchor
        const endsAt = Period.boundaryAfter(startsAt, startsAt)
        yield* allowances.open(
          order.accountId,
          {
            tier: order.tier,
            plan,
            nextPlan: plan,
            packs: 0,
            anchor: startsAt,
            serviceUntil: serviceUntil(subscription),
            paused: false,
            blocked: false,
            dailyCap: null,
          },
          { startsAt, endsAt, provisional: isProvisional(endsAt, subscription) },
        )
        // Whatever Stripe has told of the subscription until now had no allowance to move.
        yield* work.offer({
          id: `stripe:project:${order.accountId}:started`,
          queue: "stripe",
          lane: order.accountId,
          payload: { _tag: "project", customerId: order.accountId },
        })
      })

      const start = Effect.fn("Agents.start")(function* (order: Order) {
        if (order.jobId !== null) return order.jobId
        const now = yield* Clock.currentTimeMillis
        const customerId = order.accountId
        const desired = desiredOf(order, yield* sealAll(order))
        yield* sql`
          INSERT INTO agents (customer_id, order_id, generation, desired, phase, created_at, updated_at)
          VALUES (${customerId}, ${order.id}, 1, ${JSON.stringify(desired)}::text::jsonb, 'pending', ${now}, ${now})`
        yield* openAllowance(order)
        const jobId = yield* jobs.offer(order.id, { customerId, generation: 1, reason: "provision" })
        yield* sql`UPDATE orders SET job_id = ${jobId} WHERE id = ${order.id}`
        yield* audit.write("system", "agent.provision", customerId, { orderId: order.id, jobId })
        return jobId
      })

      const change = Effect.fn("Agents.change")(function* (customerId: CustomerId, asked: Change, actor: string) {
        const now = yield* Clock.currentTimeMillis
        yield* sql`SELECT 1 FROM accounts WHERE id = ${customerId} FOR UPDATE`
        const [row] = yield* sql<{ readonly orderId: OrderId; readonly generation: number; readonly desired: unknown }>`
          SELECT order_id AS "orderId", generation, desired FROM agents WHERE customer_id = ${customerId} FOR UPDATE`
        if (row === undefined) return undefined
        const next = decide({ ...row, desired: yield* decodeDesired(row.desired).pipe(Effect.orDie) }, asked)
        if (next === undefined) return undefined
        const { desired, generation, reason } = next
        yield* sql`
          UPDATE agents SET generation = ${generation}, desired = ${JSON.stringify(desired)}::text::jsonb,
            updated_at = ${now} WHERE customer_id = ${customerId}`
        yield* allowances.change(customerId, { blocked: isBlocked(desired) })
        yield* audit.write(actor, `agent.${reason}`, customerId, { ...asked, generation })
        return yield* jobs.offer(row.orderId, { customerId, generation, reason })
      })

      const rotateToken = Effect.fn("Agents.rotateToken")(function* (customerId: CustomerId, actor: string) {
        yield* sql`SELECT 1 FROM accounts WHERE id = ${customerId} FOR UPDATE`
        const staying = yield* sql`
          SELECT 1 FROM agents WHERE customer_id = ${customerId} AND desired -> 'deletion' IS NULL`
        if (staying.length === 0) return undefined
        const version = yield* mintProxyToken(customerId)
        yield* allowances.tokensChanged(customerId)
        return yield* change(customerId, { _tag: "NewProxyToken", version }, actor)
      })

      return Agents.of({
        start,
        change: (id, asked, actor) => sql.withTransaction(change(id, asked, actor)),
        rotateToken: (id, actor) => sql.withTransaction(rotateToken(id, actor)),
      })
    }),
  )
}
