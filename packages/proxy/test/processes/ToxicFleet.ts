/** Proxies whose every way to Redis, Postgres and Kimi is a link that a test can hurt; the test's own looks go straight. */
import { type Link, startToxiproxy } from "@berth/domain/testing/Toxiproxy"
import { toxiproxyBinary } from "@berth/domain/testing/ToxiproxyBinary"
import { beforeAll } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fleet from "./Fleet.ts"

export interface Links {
  readonly redis: Link
  readonly postgres: Link
  readonly kimi: Link
}

/** Once for each file that uses links: the first of all may have to build Toxiproxy. */
export const prepare = () => beforeAll(() => Effect.runPromise(Effect.asVoid(toxiproxyBinary)), 300_000)

/** `links` by the number of the proxy. */
export const make = Effect.fn("ToxicFleet.make")(function* (options: Omit<Fleet.Options, "via">) {
  const toxiproxy = yield* startToxiproxy()
  const made = new Map<number, Links>()
  const fleet = yield* Fleet.make({
    ...options,
    via: (real, proxy) =>
      Effect.gen(function* () {
        const redis = yield* toxiproxy.link(real.redisUrl)
        const postgres = yield* toxiproxy.link(real.databaseUrl)
        const kimi = yield* toxiproxy.link(real.kimiUrl)
        made.set(proxy, { redis, postgres, kimi })
        return {
          redisUrl: redis.through(real.redisUrl),
          databaseUrl: postgres.through(real.databaseUrl),
          kimiUrl: kimi.through(real.kimiUrl),
        }
      }),
  })
  const links = [...made].sort(([a], [b]) => a - b).map(([, one]) => one)
  return { ...fleet, links }
})

export type ToxicFleet = Effect.Success<ReturnType<typeof make>>
