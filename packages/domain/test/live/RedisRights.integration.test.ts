/** Each service as a user of a real Redis: all that its ports promise it can do, and what is not its business it can't. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { Redis } from "ioredis"
import { afterAll } from "vitest"
import { AgentEvents, reclaimMillis } from "../../src/AgentEvents.ts"
import { JobQueue } from "../../src/JobQueue.ts"
import * as AgentEventsRedis from "../../src/live/AgentEventsRedis.ts"
import * as AllowanceRedis from "../../src/live/AllowanceRedis.ts"
import * as CalibrationsRedis from "../../src/live/CalibrationsRedis.ts"
import * as CustomerBusRedis from "../../src/live/CustomerBusRedis.ts"
import * as JobQueueRedis from "../../src/live/JobQueueRedis.ts"
import { RedisClient } from "../../src/live/RedisClient.ts"
import * as SwitchesRedis from "../../src/live/SwitchesRedis.ts"
import * as UsageEventsRedis from "../../src/live/UsageEventsRedis.ts"
import { type RedisUser, redisUsers, usersAcl } from "../../src/RedisRights.ts"
import { agentEventsContract } from "../../src/testing/contracts/AgentEventsContract.ts"
import { allowanceCapsContract } from "../../src/testing/contracts/AllowanceCapsContract.ts"
import { allowanceChangesContract } from "../../src/testing/contracts/AllowanceChangesContract.ts"
import { allowanceContract } from "../../src/testing/contracts/AllowanceContract.ts"
import { calibrationsContract } from "../../src/testing/contracts/CalibrationsContract.ts"
import { customerBusContract } from "../../src/testing/contracts/CustomerBusContract.ts"
import { jobQueueContract } from "../../src/testing/contracts/JobQueueContract.ts"
import { usageEventsContract } from "../../src/testing/contracts/UsageEventsContract.ts"
import { startRedisWithUsers } from "../../src/testing/RedisUsers.ts"
import { testTime } from "./FreshRedisClient.ts"

const scope = Scope.makeUnsafe()
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
const server = Effect.runSync(Effect.cached(Scope.provide(startRedisWithUsers, scope)))

/** The server, emptied, to one user. */
const as = (user: RedisUser): Layer.Layer<RedisClient> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { empty, urlOf } = yield* Effect.orDie(server)
      yield* empty
      return RedisClient.layerOf(urlOf(user))
    }),
  )

/** Allowances as one user keeps them; what else the contracts look at, as billing does. */
const allowances = (user: RedisUser) =>
  Layer.mergeAll(
    AllowanceRedis.layer.pipe(Layer.provide([as(user), testTime])),
    Layer.mergeAll(UsageEventsRedis.layer, SwitchesRedis.layer).pipe(Layer.provide(Layer.fresh(as("billing")))),
  )

/** The operator reports, billing reads. */
const reports = Layer.effect(
  AgentEvents,
  Effect.gen(function* () {
    const of = (user: RedisUser) =>
      Effect.map(Layer.build(AgentEventsRedis.layer.pipe(Layer.provide(Layer.fresh(as(user))))), (context) =>
        Context.get(context, AgentEvents),
      )
    const { append } = yield* of("operator")
    const { take, acknowledge } = yield* of("billing")
    return AgentEvents.of({ append, take, acknowledge })
  }),
).pipe(Layer.provideMerge(as("admin")))

const lapse = RedisClient.use((redis) =>
  redis.call("lapse", async (one) => {
    const { group } = AgentEventsRedis
    const pending = await one.xpending("agent:events", group, "-", "+", 100)
    for (const [id] of pending as Array<[string]>)
      await one.xclaim("agent:events", group, "control", 0, id, "IDLE", reclaimMillis, "JUSTID")
  }),
)

allowanceContract("Redis as the proxy", allowances("proxy"))
allowanceCapsContract("Redis as the proxy", allowances("proxy"))
allowanceChangesContract("Redis as billing", allowances("billing"))
usageEventsContract("Redis as billing", allowances("billing"))
calibrationsContract("Redis as the proxy", CalibrationsRedis.layer.pipe(Layer.provide(as("proxy"))))
jobQueueContract("Redis as the operator", JobQueueRedis.layer.pipe(Layer.provide(as("operator"))))
agentEventsContract("Redis as operator and billing", reports, lapse)
customerBusContract("redis-as-the-api", CustomerBusRedis.layer.pipe(Layer.provide(as("api"))))

const connected = Effect.fn("connected")(function* (user: RedisUser) {
  const { urlOf } = yield* Effect.orDie(server)
  return yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(Redacted.value(urlOf(user)))),
    (redis) => Effect.sync(() => redis.disconnect()),
  )
})

/** For a command itself, and for one within a script. */
const refusal = /^NOPERM|user executing the script can't (?:run this command|access at least one of the keys)/

/** "refused", or what came of it. */
const attempt = (redis: Redis, command: ReadonlyArray<string | number>) =>
  Effect.promise(async () => {
    const [name = "", ...args] = command
    return redis.call(String(name), ...args).then(
      (answer) => `done: ${JSON.stringify(answer)}`,
      (error: Error) => (refusal.test(error.message) ? "refused" : error.message),
    )
  })

const inScript = (lua: string) => ["eval", lua, 0]

/** What no service may do. */
const never: ReadonlyArray<ReadonlyArray<string | number>> = [
  ["flushall"],
  ["flushdb"],
  ["config", "get", "*"],
  ["keys", "*"],
  ["scan", 0],
  ["acl", "list"],
  ["script", "flush"],
  ["replicaof", "no", "one"],
  ["save"],
  ["monitor"],
  ["get", "anything"],
  inScript("return redis.call('FLUSHALL')"),
  inScript("return redis.call('KEYS', '*')"),
  inScript("return redis.call('GET', 'anything')"),
]

const services = redisUsers.filter((user) => user !== "admin")

/** What is another service's business. */
const foreign: Readonly<Record<(typeof services)[number], ReadonlyArray<ReadonlyArray<string | number>>>> = {
  proxy: [
    ["lpush", "operator:jobs", "x"],
    ["llen", "operator:jobs"],
    ["del", "operator:jobs"],
    ["del", "agent:events"],
    ["xadd", "agent:events", "*", "event", "x"],
    ["xtrim", "usage:events", "MAXLEN", 0],
    ["publish", "customer:ada", ""],
    ["subscribe", "customer:ada"],
    inScript("return redis.call('LPUSH', 'operator:jobs', 'x')"),
    inScript("return redis.call('DEL', 'operator:jobs')"),
    inScript("return redis.call('XADD', 'agent:events', '*', 'event', 'x')"),
    inScript("return redis.call('XTRIM', 'usage:events', 'MAXLEN', 0)"),
  ],
  api: [
    ["hset", "limit:{ada}", "plan", 1],
    ["hgetall", "holds:{ada}"],
    ["get", "token:x"],
    inScript("return redis.call('HSET', 'limit:{ada}', 'plan', 1)"),
    inScript("return redis.call('LPUSH', 'operator:jobs', 'x')"),
  ],
  onboarding: [["get", "token:x"], ["hgetall", "limit:{ada}"], inScript("return 1")],
  billing: [
    ["rpop", "operator:jobs"],
    ["blmove", "operator:jobs", "operator:jobs:taken", "RIGHT", "LEFT", 1],
    ["lrange", "operator:jobs", 0, -1],
    ["subscribe", "customer:ada"],
  ],
  operator: [
    ["get", "token:x"],
    ["hgetall", "limit:{ada}"],
    ["xreadgroup", "GROUP", "control", "x", "STREAMS", "agent:events", ">"],
    ["publish", "customer:ada", ""],
    inScript("return redis.call('SET', 'token:x', 'ada')"),
    inScript("return redis.call('XADD', 'usage:events', '*', 'tag', 'usage')"),
  ],
  ops: [
    ["lpush", "operator:jobs", "x"],
    ["del", "agent:events"],
    ["xtrim", "usage:events", "MAXLEN", 0],
  ],
}

describe("least rights in Redis", () => {
  for (const user of services)
    it.effect(`${user} is refused what no service may do, and what is another's`, () =>
      Effect.gen(function* () {
        const { admin, empty } = yield* Effect.orDie(server)
        yield* empty
        yield* Effect.promise(() => admin.lpush("operator:jobs", "job"))
        const redis = yield* connected(user)
        for (const command of [...never, ...foreign[user]])
          assert.strictEqual(yield* attempt(redis, command), "refused", command.join(" "))
        assert.deepStrictEqual(yield* Effect.promise(() => admin.keys("*")), ["operator:jobs"])
        assert.strictEqual(yield* Effect.promise(() => admin.llen("operator:jobs")), 1)
      }),
    )

  it.effect("billing hands a job over and sees how long the line is", () =>
    Effect.gen(function* () {
      const layer = JobQueueRedis.layer.pipe(Layer.provide(as("billing")))
      const queue = Context.get(yield* Layer.build(layer), JobQueue)
      yield* queue.push("job")
      assert.deepStrictEqual(yield* queue.depth, { waiting: 1, taken: 0, dead: 0 })
    }),
  )

  it.effect("nobody gets in without a name, nor a service that was given no password", () =>
    Effect.gen(function* () {
      const { urlOf } = yield* Effect.orDie(server)
      const nameless = new URL(Redacted.value(urlOf("proxy")))
      nameless.username = ""
      nameless.password = ""
      for (const url of [nameless.href, Redacted.value(urlOf("proxy")).replace(/:[^:]*@/, ":wrong@")]) {
        const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
        redis.on("error", () => {})
        const exit = yield* Effect.exit(Effect.tryPromise(() => redis.get("token:x")))
        redis.disconnect()
        assert.isTrue(Exit.isFailure(exit))
      }
      assert.include(usersAcl({}), "user proxy off resetkeys")
      assert.notInclude(usersAcl({}), " on ")
    }),
  )
})
