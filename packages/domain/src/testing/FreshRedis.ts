/**
 * An empty Redis database for one test file, on the run's server: contract keys are fixed names, so each file SELECTs an
 * index of its own. Channels of pub/sub are the server's: keep ids in their names unique.
 */
import * as Effect from "effect/Effect"
import { Redis } from "ioredis"
import { inject } from "vitest"
import { databases } from "./Servers.ts"

/** The url of an empty database, `redis://127.0.0.1:<port>/<index>`; emptied again when the scope closes. */
export const freshRedis = Effect.gen(function* () {
  const server = inject("redisUrl")
  const counter = yield* client(server)
  const taken = yield* Effect.promise(() => counter.incr("berth:test:databases"))
  const url = `${server}/${1 + ((taken - 1) % (databases - 1))}`
  const mine = yield* client(url)
  yield* Effect.acquireRelease(
    Effect.promise(() => mine.flushdb()),
    () => Effect.promise(() => mine.flushdb()),
  )
  return url
})

const client = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (redis) => Effect.sync(() => redis.disconnect()),
  )
