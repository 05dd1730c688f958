/**
 * Several token-proxies as processes of their own on one Redis and one Postgres, before a scripted upstream, with
 * customers who may call; and a way to look into the stores past whatever stands between them and the proxies.
 */
import { Allowance } from "@berth/domain/Allowance"
import * as AllowanceRedis from "@berth/domain/live/AllowanceRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import * as SwitchesRedis from "@berth/domain/live/SwitchesRedis"
import * as UsageEventsRedis from "@berth/domain/live/UsageEventsRedis"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { freshRedis } from "@berth/domain/testing/FreshRedis"
import { Switches } from "@berth/domain/Switches"
import type { UsageEvent } from "@berth/domain/Usage"
import { UsageEvents } from "@berth/domain/UsageEvents"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { Redis } from "ioredis"
import * as Stub from "../StubUpstream.ts"
import type { Customer } from "../World.ts"
import * as Customers from "./Customers.ts"
import * as ProxyProcess from "./ProxyProcess.ts"

export interface Options {
  readonly customers: ReadonlyArray<Customer>
  readonly behaviour: Stub.Behaviour
  /** How many proxies; 2. */
  readonly proxies?: number
  /** A Redis and a Postgres of the test's own; fresh ones if not given. The database needs today's schema. */
  readonly redisUrl?: string
  readonly databaseUrl?: string
  /** As the proxies see them, where something stands in between; by the number of the proxy. */
  readonly via?: (real: Addresses, proxy: number) => Effect.Effect<Addresses>
  readonly env?: Readonly<Record<string, string>>
  readonly preload?: (proxy: number) => ReadonlyArray<string>
}

/** `kimiUrl` ends in `/v1`. */
export interface Addresses {
  readonly redisUrl: string
  readonly databaseUrl: string
  readonly kimiUrl: string
}

/** What stands in Redis about one customer, read in one step. */
export interface Held {
  readonly used: number
  readonly held: number
  readonly limit: number
  /** Sum and number of `holds:{<id>}`. */
  readonly sum: number
  readonly open: number
}

/** One look, so that nothing moves between hash and holds. */
const look = `
local h = redis.call('HMGET', 'limit:{' .. ARGV[1] .. '}', 'used', 'held', 'plan', 'packs')
local sum, open = 0, 0
for _, one in ipairs(redis.call('HVALS', 'holds:{' .. ARGV[1] .. '}')) do
  sum, open = sum + string.match(one, '^%d+:(%d+)'), open + 1
end
return {tonumber(h[1] or 0), tonumber(h[2] or 0), tonumber(h[3] or 0) + tonumber(h[4] or 0), sum, open}
`

/** Starts it all in the current scope; returns when every proxy is ready. */
export const make = Effect.fn("Fleet.make")(function* (options: Options) {
  const stub = yield* Stub.start(options.behaviour)
  const redisUrl = options.redisUrl ?? (yield* freshRedis)
  const databaseUrl = options.databaseUrl ?? Redacted.value(yield* freshDatabase)
  yield* Customers.insert(databaseUrl, options.customers)
  const real: Addresses = { redisUrl, databaseUrl, kimiUrl: stub.baseUrl }
  const via = options.via ?? (() => Effect.succeed(real))
  const proxies = yield* Effect.forEach(
    Array.from({ length: options.proxies ?? 2 }, (_, index) => index),
    (index) =>
      Effect.flatMap(via(real, index), (addresses) =>
        ProxyProcess.make({
          ...addresses,
          ...(options.env === undefined ? {} : { env: options.env }),
          ...(options.preload === undefined ? {} : { preload: options.preload(index) }),
        }),
      ),
    { concurrency: "unbounded" },
  )

  const redis = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const client = new Redis(redisUrl, { retryStrategy: () => 50, maxRetriesPerRequest: null })
      client.on("error", () => {})
      return client
    }),
    (client) => Effect.sync(() => client.disconnect()),
  )
  const stores = yield* Layer.build(
    Layer.fresh(
      Layer.mergeAll(AllowanceRedis.layer, SwitchesRedis.layer, UsageEventsRedis.layer).pipe(
        Layer.provide(RedisClient.layerOf(Redacted.make(redisUrl))),
      ),
    ),
    // That Redis is away is what these tests are about.
  ).pipe(Effect.provideService(References.MinimumLogLevel, "Error"))
  const allowance = Context.get(stores, Allowance)
  const switches = Context.get(stores, Switches)
  const usageEvents = Context.get(stores, UsageEvents)

  const held = async (one: Customer): Promise<Held> => {
    const [used, held, limit, sum, open] = (await redis.eval(look, 0, one.customerId)) as [
      number,
      number,
      number,
      number,
      number,
    ]
    return { used, held, limit, sum, open }
  }
  const events = Effect.map(
    usageEvents.after({ epoch: "", cursor: "0-0" }, 100_000),
    (taken): ReadonlyArray<UsageEvent> => taken.events.map((one) => one.event),
  )
  /** Waits until nothing of the customer's is held any more, by hash, by holds and by the sweeper's list; how it then stands. */
  const settled = (one: Customer, seconds = 20) =>
    Effect.gen(function* () {
      const deadline = performance.now() + seconds * 1_000
      while (true) {
        const now = yield* Effect.promise(() => held(one))
        const listed = yield* Effect.promise(() => redis.zrange("holds", "0", "-1"))
        const own = listed.filter((member) => member.startsWith(`${one.customerId}:`))
        if (now.held === 0 && now.open === 0 && own.length === 0) return now
        if (performance.now() > deadline)
          return yield* Effect.die(new Error(`still held: ${JSON.stringify({ ...now, own })}`))
        yield* Effect.sleep(25)
      }
    })

  return { stub, proxies, redis, databaseUrl, allowance, switches, held, events, settled }
})

export type Fleet = Effect.Success<ReturnType<typeof make>>
