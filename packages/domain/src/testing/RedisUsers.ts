/** A Redis server of a test's own that knows each service as production does, with the very same rights. */
import { randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Redis } from "ioredis"
import { type RedisUser, redisUsers, usersAcl } from "../RedisRights.ts"
import { startRedis } from "./RedisServer.ts"

export const startRedisWithUsers = Effect.gen(function* () {
  const passwords = Object.fromEntries(
    redisUsers.map((user) => [user, Redacted.make(randomBytes(12).toString("hex"))]),
  ) as Record<RedisUser, Redacted.Redacted<string>>
  const { port } = yield* startRedis({ users: usersAcl(passwords) })
  const urlOf = (user: RedisUser) =>
    Redacted.make(`redis://${user}:${Redacted.value(passwords[user])}@127.0.0.1:${port}`)
  const admin = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(Redacted.value(urlOf("admin")))),
    (redis) => Effect.sync(() => redis.disconnect()),
  )
  return { urlOf, admin, empty: Effect.promise(() => admin.flushall()) }
})
