/** Billing's rules on a real Postgres and a real Redis that a test may hurt; every step is run by hand. */
import { Allowance } from "@berth/domain/Allowance"
import { CustomerBus } from "@berth/domain/CustomerBus"
import { CustomerId, RequestId } from "@berth/domain/Ids"
import * as AllowanceRedis from "@berth/domain/live/AllowanceRedis"
import * as AllowanceSourcePostgres from "@berth/domain/live/AllowanceSourcePostgres"
import * as Postgres from "@berth/domain/live/Postgres"
import { RedisClient } from "@berth/domain/live/RedisClient"
import * as UsageEventsRedis from "@berth/domain/live/UsageEventsRedis"
import { hashOf, mint } from "@berth/domain/ProxyToken"
import { type RedisOptions, type RedisServer, startRedis } from "@berth/domain/testing/RedisServer"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { Work } from "@berth/domain/Work"
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { Allowances, type Standing } from "../../src/billing/Allowances.ts"
import * as AllowanceSync from "../../src/billing/AllowanceSync.ts"
import { CustomerEvents } from "../../src/notify/CustomerEvents.ts"
import { Mails } from "../../src/notify/Mails.ts"
import { Mailbox } from "../../src/embedded/Mailbox.ts"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Worker from "../../src/Worker.ts"

/** The Redis of a test, apart from all others. */
export class OwnRedis extends Context.Service<OwnRedis, RedisServer>()("@berth/control/test/OwnRedis") {
  static readonly layer = (options: RedisOptions) => Layer.effect(OwnRedis, startRedis(options))
}

const redis = Layer.unwrap(Effect.map(OwnRedis, ({ url }) => RedisClient.layerOf(Redacted.make(url))))
const database = Layer.unwrap(Effect.map(freshDatabase, (url) => Postgres.layer(url)))

/** Everything between a settled call and the ledger. */
export const stores = (options: RedisOptions = { appendonly: true }) =>
  Layer.mergeAll(Allowances.layer, Mails.layer({ publicUrl: "http://berth.test" })).pipe(
    Layer.provideMerge(CustomerEvents.layer),
    Layer.provideMerge(Mailbox.mailer),
    Layer.provideMerge(Mailbox.layer),
    Layer.provideMerge(
      Layer.mergeAll(AllowanceRedis.layer, UsageEventsRedis.layer, AllowanceSourcePostgres.layer, Work.layer),
    ),
    Layer.provideMerge(Layer.mergeAll(redis, database, CustomerBus.layerMemory, KeyValueStore.layerMemory)),
    Layer.provideMerge(OwnRedis.layer(options)),
    Layer.provideMerge(Logger.layer([])),
    Layer.orDie,
  )

const month = 30 * 86_400_000

/** A customer of the pro tier, in Postgres only. The first period ends in so many ms, later ones a month after each other. */
export const customer = Effect.fn("RealStores.customer")(function* (
  name: string,
  some: Partial<Standing> = {},
  endsIn = month,
) {
  const sql = yield* SqlClient
  const now = yield* Clock.currentTimeMillis
  const token = Redacted.value(mint(crypto.getRandomValues(new Uint8Array(32))))
  const customerId = CustomerId.make(name)
  yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES (${customerId}, 'customer', 0)`
  yield* sql`
    INSERT INTO proxy_tokens (hash, customer_id, state, created_at)
    VALUES (${hashOf(token)}, ${customerId}, 'live', 0)`
  const standing: Standing = {
    tier: "pro",
    plan: 5_000_000,
    nextPlan: 5_000_000,
    packs: 0,
    anchor: now + endsIn,
    serviceUntil: now + 12 * month,
    paused: false,
    blocked: false,
    dailyCap: null,
    ...some,
  }
  const period = { startsAt: now, endsAt: now + endsIn, provisional: false }
  yield* sql.withTransaction((yield* Allowances).open(customerId, standing, period))
  return { customerId, token, tokenHash: hashOf(token) }
})
export type Customer = Effect.Success<ReturnType<typeof customer>>

/** Every change on its way arrives. */
export const synced = Effect.gen(function* () {
  const drain = Worker.drain({ queue: "allowance", attempts: Number.POSITIVE_INFINITY, longestWaitMillis: 50 })
  while (yield* drain(AllowanceSync.sync));
})

/** Admits a call, or fails the test. */
export const admit = Effect.fn("RealStores.admit")(function* (one: Customer, request: string) {
  const { customerId, tokenHash } = one
  const admission = yield* (yield* Allowance).admit({
    customerId,
    tokenHash,
    requestId: RequestId.make(`${customerId}-${request}`),
    attempt: 1,
    model: "kimi-k2.6",
    background: false,
    prompt: 100,
    completion: 900,
    floor: 900,
  })
  return admission._tag === "Admitted" ? admission.hold : assert.fail(admission._tag)
})

/** Ends a call that used so many tokens. */
export const settlement = (hold: Effect.Success<ReturnType<typeof admit>>, tokens: number) => ({
  hold,
  model: "kimi-k2.6",
  usage: { prompt: tokens, cached: 0, completion: 0, reasoning: 0 },
  estimated: false,
  traceId: "",
})

export const viewOf = ({ customerId }: Customer) =>
  Effect.map(
    Allowance.use((allowance) => allowance.view(customerId)),
    Option.getOrThrow,
  )

/** What the ledger charges the customer, by request. */
export const chargesOf = Effect.fn("RealStores.chargesOf")(function* ({ customerId }: Customer) {
  const sql = yield* SqlClient
  const rows = yield* sql<{ readonly source: string; readonly tokens: number }>`
    SELECT source_id AS source, tokens FROM ledger_entries
    WHERE customer_id = ${customerId} AND kind IN ('usage', 'correction') ORDER BY source_id`
  const requestOf = (source: string) => source.replace(/^usage:|:\d+$/g, "").replace(`${customerId}-`, "")
  return Object.fromEntries(rows.map(({ source, tokens }) => [requestOf(source), tokens]))
})
