/** A whole billing on a real Postgres: memory Redis, embedded Stripe over HTTP, embedded mailbox. Steps are run by hand. */
import { createHash } from "node:crypto"
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { AgentEvents, type AgentEvent } from "@berth/domain/AgentEvents"
import { Allowance, type Ask } from "@berth/domain/Allowance"
import { CustomerBus } from "@berth/domain/CustomerBus"
import { CustomerId, OrderId, RequestId } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import * as AllowanceSourcePostgres from "@berth/domain/live/AllowanceSourcePostgres"
import * as Postgres from "@berth/domain/live/Postgres"
import { Sealer } from "@berth/domain/Seal"
import { Switches } from "@berth/domain/Switches"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import type { SoldTierId } from "@berth/domain/Tiers"
import { UsageEvents } from "@berth/domain/UsageEvents"
import { Work } from "@berth/domain/Work"
import { assert } from "@effect/vitest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import { FetchHttpClient, HttpServer } from "effect/http"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import * as Billing from "../../src/billing/Billing.ts"
import { Checkout } from "../../src/billing/Checkout.ts"
import { Orders } from "../../src/billing/Orders.ts"
import * as StripeEvents from "../../src/billing/StripeEvents.ts"
import * as StripeWebhook from "../../src/billing/StripeWebhook.ts"
import * as Worker from "../../src/Worker.ts"
import { Mailbox } from "../../src/embedded/Mailbox.ts"
import { StripeDouble } from "../../src/embedded/StripeDouble.ts"
import * as StripePages from "../../src/embedded/StripePages.ts"
import * as StripePayments from "../../src/embedded/StripePayments.ts"
import { Exports } from "../../src/exports/Exports.ts"
import { Mails } from "../../src/notify/Mails.ts"
import * as AgentReports from "../../src/provision/AgentReports.ts"
import { AgentSecrets } from "../../src/provision/AgentSecrets.ts"
import { relay } from "../../src/provision/Relay.ts"
import { exportsWorld } from "../exports/World.ts"

export const webhookSecret = Redacted.make("whsec_test_0123456789")

/** A public key whose private half nobody keeps. */
const recipient = "age1ptf2efdl469l260j3kf8rmspyh48c8stnjgnmtu2a04p36ukryvqyu0dsu"

/** When every test begins. */
export const november = Date.UTC(2026, 10, 24, 12)

/** Set before anything is built, so that no sleeper has to live through the years since 1970. */
const clock = Layer.effectDiscard(TestClock.setTime(november)).pipe(Layer.provideMerge(TestClock.layer()))

const database = Layer.unwrap(Effect.map(freshDatabase, (url) => Postgres.layer(url)))

const redis = Layer.mergeAll(
  Allowance.layerMemory,
  UsageEvents.layerMemory,
  Switches.layerMemory,
  JobQueue.layerMemory,
  AgentEvents.layerMemory,
  CustomerBus.layerMemory,
)

const server = NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })

/** The double and the webhook's server need each other's address: the port is taken first. */
const stripe = (webhookPath: string) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { address } = yield* HttpServer.HttpServer
      const origin = address._tag === "InetAddressV4" ? `http://127.0.0.1:${address.port}` : yield* Effect.die(address)
      return StripePayments.layer({ publicUrl: origin, webhookSecret }).pipe(
        Layer.provideMerge(
          StripeDouble.layer({
            webhookUrl: origin + webhookPath,
            webhookSecret,
            pageUrl: `${origin}/dev/stripe/checkout`,
          }),
        ),
      )
    }),
  )

const routes = HttpRouter.serve(Layer.mergeAll(StripeWebhook.layer, StripePages.layer), {
  disableLogger: true,
  disableListenLog: true,
})

const base = Layer.mergeAll(AllowanceSourcePostgres.layer, Work.layer).pipe(Layer.provideMerge(database))

/** With a clock and a logger of one's own, and Stripe's webhooks going to some path. */
export const worldAt = <A>(surroundings: Layer.Layer<A>, webhookPath = "/webhooks/stripe") =>
  Layer.mergeAll(Checkout.layer, Exports.layer, Mails.layer({ publicUrl: "http://berth.test" }), routes).pipe(
    Layer.provideMerge(Billing.purchases),
    Layer.provideMerge(stripe(webhookPath)),
    Layer.provideMerge(server),
    Layer.provideMerge(Mailbox.mailer),
    Layer.provideMerge(Mailbox.layer),
    Layer.provideMerge(Layer.mergeAll(base, redis, SecureRandom.layerWebCrypto, Sealer.layer(recipient))),
    Layer.provideMerge(Layer.mergeAll(KeyValueStore.layerMemory, FetchHttpClient.layer, exportsWorld)),
    Layer.provideMerge(surroundings),
  )

const quiet = Logger.layer([])

/** Time goes by itself, for what runs by itself. */
export const realTime = quiet

/** Time stands until a test moves it. */
export const world = worldAt(Layer.mergeAll(clock, quiet))

/** The same, but none of Stripe's webhooks arrives. */
export const deafWorld = worldAt(Layer.mergeAll(clock, quiet), "/nowhere")

let next = 1

/** An account with an order, ready to pay. */
export const ordered = Effect.fn("ordered")(function* (
  options: { readonly tier?: SoldTierId; readonly botToken?: boolean } = {},
) {
  const sql = yield* SqlClient
  const orders = yield* Orders
  const secrets = yield* AgentSecrets
  const name = `ann-${next++}`
  const accountId = CustomerId.make(name)
  const orderId = OrderId.make(`ord_${name}`)
  yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES (${accountId}, 'customer', 0)`
  if (options.botToken !== false) yield* secrets.put(accountId, "botToken", Redacted.make("123:token"))
  yield* orders.place({
    id: orderId,
    accountId,
    conversationId: null,
    tier: options.tier ?? "pro",
    facts: {},
    email: `${name}@example.com`,
    telegramUserId: "4711",
    botUsername: `${name.replace("-", "_")}_bot`,
  })
  return { accountId, orderId }
})

/** The same, with its checkout opened; the checkout's id. */
export const checkedOut = Effect.fn("checkedOut")(function* (options?: Parameters<typeof ordered>[0]) {
  const { accountId, orderId } = yield* ordered(options)
  const { url } = yield* (yield* Checkout).open(accountId, orderId)
  return { accountId, orderId, url, checkoutId: url.slice(url.lastIndexOf("/") + 1) }
})

/** The same, paid and provisioned by the webhook. */
export const customer = Effect.fn("customer")(function* (options?: Parameters<typeof ordered>[0]) {
  const one = yield* checkedOut(options)
  yield* (yield* StripeDouble).pay(one.checkoutId)
  yield* webhooksArrived
  yield* stripeEvents
  const sql = yield* SqlClient
  const [row] = yield* sql<{ readonly subscriptionId: string; readonly jobId: string }>`
    SELECT subscription_id AS "subscriptionId", job_id AS "jobId" FROM orders WHERE id = ${one.orderId}`
  assert.isDefined(row?.jobId)
  return { ...one, ...row! }
})

/** Waits, in real time, until the embedded Stripe has nothing left to deliver. */
export const webhooksArrived = Effect.gen(function* () {
  const double = yield* StripeDouble
  for (let tries = 0; tries < 500; tries++) {
    if ((yield* double.world).deliveries.length === 0) return
    yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)))
  }
  assert.fail("webhooks were not delivered")
})

const all = <E, R>(step: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function* () {
    while (yield* step);
  })

export const stripeEvents = all(
  Worker.drain({ queue: "stripe", attempts: 40, longestWaitMillis: 60_000 })(StripeEvents.handle),
)
export const relayed = all(
  Worker.drain({ queue: "jobs", attempts: Number.POSITIVE_INFINITY, longestWaitMillis: 60_000 })(relay),
)

/** Takes what lies on `operator:jobs`, as the operator does. */
export const jobsPushed = Effect.gen(function* () {
  const queue = yield* JobQueue
  const jobs: Array<{ readonly id: string; readonly customerId: string; readonly generation: number }> = []
  while ((yield* queue.depth).waiting > 0) {
    const taken = yield* queue.take
    if (taken._tag === "None") break
    jobs.push(JSON.parse(taken.value))
    yield* queue.acknowledge(taken.value)
  }
  return jobs
})

export const reported = Effect.fn("reported")(function* (...events: ReadonlyArray<AgentEvent>) {
  const stream = yield* AgentEvents
  for (const event of events) yield* stream.append(event)
  yield* AgentReports.consume
})

/** How the proxies' store decides on a call of a customer's; 2,500 tokens of a person's turn, unless told. */
export const admission = Effect.fn("admission")(function* (
  customerId: CustomerId,
  request: string,
  more: Partial<Ask> = {},
) {
  const allowance = yield* Allowance
  const sql = yield* SqlClient
  const [{ hash } = { hash: "" }] = yield* sql<{ hash: string }>`
    SELECT hash FROM proxy_tokens WHERE customer_id = ${customerId}`
  return yield* allowance.admit({
    customerId,
    tokenHash: hash,
    requestId: RequestId.make(`${customerId}-${request}`),
    attempt: 1,
    model: "kimi-k2.6",
    background: false,
    prompt: 1_500,
    completion: 1_000,
    floor: 1_000,
    ...more,
  })
})

/** One digest of everything that billing writes, to tell whether anything changed. */
export const stateOf = Effect.fn("stateOf")(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const tables = {
    orders: yield* sql`SELECT * FROM orders WHERE account_id = ${customerId} ORDER BY id`,
    agents: yield* sql`SELECT * FROM agents WHERE customer_id = ${customerId}`,
    tokens: yield* sql`SELECT * FROM proxy_tokens WHERE customer_id = ${customerId}`,
    secrets: yield* sql`SELECT purpose, version FROM agent_secrets WHERE customer_id = ${customerId} ORDER BY 1, 2`,
    allowances: yield* sql`SELECT * FROM allowances WHERE customer_id = ${customerId}`,
    periods: yield* sql`SELECT * FROM allowance_periods WHERE customer_id = ${customerId} ORDER BY number`,
    ledger: yield* sql`SELECT * FROM ledger_entries WHERE customer_id = ${customerId} ORDER BY id`,
    events: yield* sql`SELECT * FROM customer_events WHERE customer_id = ${customerId} ORDER BY seq`,
    audit: yield* sql`SELECT * FROM audit WHERE subject = ${customerId} ORDER BY id`,
    jobs: yield* sql`SELECT id FROM work WHERE queue = 'jobs' AND payload ->> 'customerId' = ${customerId} ORDER BY id`,
    mails: yield* sql`SELECT id FROM work WHERE queue = 'mails' ORDER BY id`,
  }
  return { ...tables, digest: createHash("sha256").update(JSON.stringify(tables)).digest("hex") }
})
