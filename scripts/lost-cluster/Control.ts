/**
 * Control for a test that loses everything else: billing as a process of its own, with no more rights than in production, on
 * a real Postgres that outlives clusters and Redis. Payments are not what it is about: orders are written down as paid.
 */
import { join } from "node:path"
import { Allowances } from "@berth/control/billing/Allowances"
import { Audit } from "@berth/control/billing/Audit"
import { Orders } from "@berth/control/billing/Orders"
import { Agents } from "@berth/control/provision/Agents"
import { AgentSecrets } from "@berth/control/provision/AgentSecrets"
import { JobOutbox } from "@berth/control/provision/JobOutbox"
import { CustomerId, OrderId } from "@berth/domain/Ids"
import * as EmbeddedPostgres from "@berth/domain/live/EmbeddedPostgres"
import * as Postgres from "@berth/domain/live/Postgres"
import { migrate } from "@berth/domain/Migrations"
import { Sealer } from "@berth/domain/Seal"
import { freePorts } from "@berth/domain/testing/FreePorts"
import { loginOf } from "@berth/domain/testing/GroupLogin"
import { Work } from "@berth/domain/Work"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Programs from "../../packages/control/test/bin/Programs.ts"

export interface ControlOptions {
  /** For Postgres and for what billing writes; whoever made it removes it. */
  readonly folder: string
  readonly redisUrl: string
  /** Whom the customers' secrets are sealed for. */
  readonly recipient: string
  /** As the operator's. */
  readonly resync: string
}

/** An agent as control knows it. */
export interface Known {
  readonly phase: string
  readonly generation: number
  readonly reportedGeneration: number
  /** Epoch ms of the newest report; 0 before the first. */
  readonly reportedAt: number
  /** Of its jobs, those that nothing has answered. */
  readonly openJobs: number
  /** What the customer was told, in order, by kind. */
  readonly told: ReadonlyArray<string>
  /** Hashes of the tokens that the proxy takes. */
  readonly tokens: ReadonlyArray<string>
}

const services = (url: Redacted.Redacted<string>, recipient: string) =>
  Layer.mergeAll(Agents.layer, Orders.layer).pipe(
    Layer.provideMerge(Layer.mergeAll(JobOutbox.layer, Allowances.layer, AgentSecrets.layer, Audit.layer)),
    Layer.provide([Work.layer, Sealer.layer(recipient), SecureRandom.layerWebCrypto]),
    Layer.provideMerge(Postgres.layer(url, 2)),
  )

export const open = Effect.fn("Control.open")(function* ({ folder, recipient, redisUrl, resync }: ControlOptions) {
  const postgres = yield* EmbeddedPostgres.make({ folder: join(folder, "postgres"), fsync: false })
  yield* migrate.pipe(Effect.provide(Postgres.layer(postgres.url, 2)), Effect.orDie)
  const url = yield* loginOf(postgres.url, "berth_control")
  const [port = 0, opsPort = 0] = yield* Effect.promise(() => freePorts(2))
  const billing = yield* Programs.run("billing", {
    BERTH_DIR: join(folder, "berth"),
    BILLING_PORT: String(port),
    BILLING_OPS_PORT: String(opsPort),
    DATABASE_URL: Redacted.value(url),
    REDIS_URL: redisUrl,
    OPERATOR_AGE_RECIPIENT: recipient,
    RESYNC_INTERVAL: resync,
  })
  yield* Programs.until(() => billing.output().includes("billing on "), billing.output)
  const context = yield* Layer.build(services(url, recipient))
  const sql = Context.get(context, SqlClient)
  const agents = Context.get(context, Agents)

  /** A paid order; its agent's first job goes out with it. */
  const sold = Effect.fn("Control.sold")(function* (name: string) {
    const customerId = CustomerId.make(name)
    const orderId = OrderId.make(`ord_${name}`)
    const anchor = Date.now()
    const month = 30 * 86_400_000
    yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES (${customerId}, 'customer', 0)`
    yield* AgentSecrets.use((secrets) =>
      secrets.put(customerId, "botToken", Redacted.make(`4242:the-bot-token-of-${name}`)),
    )
    const draft = { tier: "pro", facts: {}, email: `${name}@example.com`, telegramUserId: "4242" } as const
    const order = yield* Orders.use((orders) =>
      orders.place({ ...draft, id: orderId, accountId: customerId, conversationId: null, botUsername: `${name}_bot` }),
    )
    yield* sql.withTransaction(
      Effect.gen(function* () {
        const subscriptionId = `sub_${name}`
        yield* sql`
          UPDATE orders SET status = 'paid', paid_at = ${anchor}, subscription_id = ${subscriptionId} WHERE id = ${orderId}`
        yield* sql`INSERT INTO subscriptions ${sql.insert({
          id: subscriptionId,
          account_id: customerId,
          order_id: orderId,
          tier: order.tier,
          status: "active",
          anchor,
          period_start: anchor,
          period_end: anchor + month,
          paid_until: anchor + month,
          cancel_at: null,
          updated_at: anchor,
        })}`
        yield* agents.start({ ...order, status: "paid", subscriptionId })
      }),
    )
    return customerId
  }, Effect.provideContext(context))

  const known = Effect.fn("Control.known")(function* (customerId: CustomerId) {
    const [agent] = yield* sql<Omit<Known, "openJobs" | "told" | "tokens">>`
      SELECT phase, generation, reported_generation AS "reportedGeneration", reported_at AS "reportedAt"
      FROM agents WHERE customer_id = ${customerId}`
    if (agent === undefined) return yield* Effect.die(new Error(`control knows nothing of ${customerId}`))
    const jobs = yield* sql`
      SELECT id FROM work WHERE queue = 'jobs' AND done_at IS NULL AND payload ->> 'customerId' = ${customerId}`
    const events = yield* sql<{ readonly type: string }>`
      SELECT type FROM customer_events WHERE customer_id = ${customerId} ORDER BY seq`
    const tokens = yield* sql<{ readonly hash: string }>`
      SELECT hash FROM proxy_tokens WHERE customer_id = ${customerId} AND state = 'live' ORDER BY hash`
    return {
      ...agent,
      openJobs: jobs.length,
      told: events.map(({ type }) => type),
      tokens: tokens.map(({ hash }) => hash),
    } satisfies Known as Known
  })

  return { sold, known, agents, words: billing.output }
})
