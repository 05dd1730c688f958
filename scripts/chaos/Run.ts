/**
 * One run: customers call, processes die, and afterwards the ledger is held against the upstream's own count. What a dead
 * proxy held is made to run out at once, by a sweep that believes that minutes have passed, unless `patient` waits for it.
 */
import * as Effect from "effect/Effect"
import * as Customers from "./Customers.ts"
import { dice } from "./Dice.ts"
import * as Load from "./Load.ts"
import * as Stage from "./Stage.ts"
import * as Stores from "./Stores.ts"
import * as Upstream from "./Upstream.ts"
import { type Account, judge } from "./Verdict.ts"

export interface Options {
  readonly seconds: number
  readonly seed: number
  readonly durability: Stage.Durability
  /** Waits for the proxies' own sweepers, about two minutes. */
  readonly patient: boolean
  /** For the data of the servers; deleted afterwards. */
  readonly parent: string
  readonly say: (line: string) => void
}

export interface Report {
  readonly seed: number
  readonly durability: Stage.Durability
  readonly accounts: ReadonlyArray<Account>
  /** By target, how often it was killed. */
  readonly kills: Readonly<Record<string, number>>
  /** Power cuts of Redis, and the bytes that its disk did not have. */
  readonly cuts: ReadonlyArray<Stage.Cut>
  /** Settlements that proxies told Redis again because it had lost them. */
  readonly restored: number
  /** Holds of dead proxies, each recorded as lost. */
  readonly lostHolds: number
  readonly calls: number
  readonly violations: ReadonlyArray<string>
}

/** Counters of a proxy die with it; what it printed stays. */
const restoredBy = (output: string): number =>
  [...output.matchAll(/told of them again \{ lost: (\d+) \}/g)].reduce((sum, [, lost]) => sum + Number(lost), 0)

const customerCount = 6
const parallel = 4

export const run = Effect.fn("chaos")(function* ({ seconds, seed, durability, patient, parent, say }: Options) {
  const upstream = yield* Upstream.listen(seed)
  const customers = Customers.make(customerCount)
  const stage = yield* Stage.make({
    parent,
    durability,
    luck: dice(seed, "redis"),
    kimiUrl: upstream.url,
    prepare: (databaseUrl) => Customers.insert(databaseUrl, customers),
  })
  const { proxies, proxyTargets, redis, cuts, targets, redisUrl, databaseUrl } = stage
  say(`two proxies, two recorders, Redis (${durability}) and Postgres are up; ${seconds} s of seed ${seed}`)

  const load = Load.start({ customers, proxies, parallel, luckOf: (client) => dice(seed, client) })
  yield* Effect.raceFirst(
    Effect.all(
      [Stage.havoc(stage, dice(seed, "havoc"), say), Customers.changes(databaseUrl, customers, dice(seed, "buy"))],
      {
        concurrency: 2,
      },
    ),
    Effect.sleep(seconds * 1_000),
  )
  yield* Stage.allUp(stage)
  say("all is up again")
  yield* load.stop
  say(`${load.sent.length} calls sent; letting everything settle`)

  return yield* Effect.gen(function* () {
    if (patient) while ((yield* Stores.open) > 0) yield* Effect.sleep("1 second")
    const codes = yield* Effect.forEach(proxies, (one) => one.stop, { concurrency: 2 })
    yield* Stores.runOut
    yield* Stores.quiet
    const { accounts, violations } = judge({
      sent: load.sent,
      served: upstream.served,
      charged: yield* Stores.charged,
      proxies: proxyTargets.map(({ lives }) => lives),
      redis: redis.lives,
      cuts,
    })
    return {
      seed,
      durability,
      accounts,
      kills: Object.fromEntries(targets.map(({ name, lives }) => [name, lives.length - 1])),
      cuts,
      restored: restoredBy(proxies.map((one) => one.output()).join("\n")),
      lostHolds: yield* Stores.lost,
      calls: load.sent.length,
      violations: [
        ...violations,
        ...codes.flatMap((code, index) =>
          code === 0 ? [] : [`proxy ${index} was told to stop and ended with ${code}`],
        ),
        ...(yield* Stores.disagreements(customers)),
      ],
    } satisfies Report
  }).pipe(Effect.provide(Stores.layer(redisUrl, databaseUrl)))
}, Effect.scoped)
