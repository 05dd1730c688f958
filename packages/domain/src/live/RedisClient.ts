/**
 * The connections to Redis (`REDIS_URL`): one for commands, pipelined by itself, and one for each that blocks or subscribes.
 * Unreachable or silent, it fails every call within 2 s as `StoreUnavailable`, keeps reconnecting and is back by itself;
 * a call that failed may still be carried out, at once or later, so every script bears being repeated.
 */
import { createHash } from "node:crypto"
import { Redis, type RedisOptions } from "ioredis"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { StoreUnavailable } from "../Errors.ts"
import { Refused } from "../Launch.ts"

/** A Lua script, sent by its hash and whole only when Redis does not know it. */
export interface Script {
  /** Names the operation in errors. */
  readonly name: string
  readonly lua: string
  readonly sha: string
}

export const script = (name: string, lua: string): Script => ({
  name,
  lua,
  sha: createHash("sha1").update(lua).digest("hex"),
})

type Argument = string | number

export interface Connection {
  readonly redis: Redis
  /** Runs one command; whatever goes wrong is `StoreUnavailable`. */
  call<A>(operation: string, run: (redis: Redis) => Promise<A>): Effect.Effect<A, StoreUnavailable>
}

export class RedisClient extends Context.Service<
  RedisClient,
  {
    readonly call: Connection["call"]
    /** Runs a script in one round trip. Keys are made from the arguments: a cell has one primary, never a cluster. */
    script(script: Script, args: ReadonlyArray<Argument>): Effect.Effect<unknown, StoreUnavailable>
    /** A connection of one's own, for commands that subscribe or block up to so many ms. Closed with the scope. */
    connect(blocking: number): Effect.Effect<Connection, never, Scope.Scope>
    /** When the connection last became ready, in ms of the monotonic clock: no jump of the time of day ages it. Undefined while it is not. */
    readonly readySince: Effect.Effect<number | undefined>
  }
>()("@berth/domain/live/RedisClient") {
  /** Never fails to start: an unreachable Redis shows at the first call. */
  static readonly layerOf = (url: Redacted.Redacted<string>): Layer.Layer<RedisClient> =>
    Layer.effect(RedisClient, make(url))

  /** Of `REDIS_URL`. What is no such address would be taken for the path of a socket, and only ever be unreachable. */
  static readonly layer: Layer.Layer<RedisClient, Config.ConfigError | Refused> = Layer.effect(
    RedisClient,
    Effect.gen(function* () {
      const url = yield* Config.Redacted("REDIS_URL")
      if (!/^rediss?:\/\/./.test(Redacted.value(url)))
        return yield* new Refused({
          message: "REDIS_URL is wrong: expected redis://[user:password@]host:port[/database].",
        })
      return yield* make(url)
    }),
  )
}

type Options = Omit<RedisOptions, "replyMapping">

/** How long any call may take, with its wait for a connection or behind a batch that Redis left unanswered. */
const patience = 1_500

const common: Options = {
  connectTimeout: 1_000,
  // A peer that went silent is dropped, so that the next call finds a fresh connection.
  socketTimeout: 4_000,
  retryStrategy: (times) => Math.min(50 * 2 ** (times - 1), 500),
  // Redis' own guess of when it has loaded its file is a second at least.
  maxLoadingRetryTime: 200,
  disableClientInfo: true,
  autoResubscribe: false,
}

/**
 * Fails when the answer is not there in time. What was asked may still happen. An answer that only waits for this process,
 * because it is busy, is in time: timers come before sockets, so these are looked at once more.
 */
const within = <A>(answer: Promise<A>, millis: number): Promise<A> =>
  new Promise((resolve, reject) => {
    const late = () => reject(new Error(`no answer within ${millis} ms`))
    const timer = setTimeout(() => setImmediate(late), millis)
    answer.then(resolve, reject).finally(() => clearTimeout(timer))
  })

function make(url: Redacted.Redacted<string>): Effect.Effect<RedisClient["Service"], never, Scope.Scope> {
  return Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const nowMillis = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
    const log = Effect.runForkWith(yield* Effect.context<never>())
    const open = (millis: number, options: Options): Effect.Effect<Connection, never, Scope.Scope> =>
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => {
            const redis = new Redis(Redacted.value(url), { ...common, ...options })
            // Every failure reaches its caller; without a listener it would end the process as well.
            redis.on("error", () => {})
            return redis
          }),
          (redis) => Effect.sync(() => redis.disconnect()),
        ),
        (redis) => ({
          redis,
          call: (operation, run) =>
            Effect.tryPromise({
              try: () => within(run(redis), millis),
              catch: (cause) => new StoreUnavailable({ store: "redis", operation, cause }),
            }),
        }),
      )

    // One reconnect is waited for, so that a restart of Redis shows as a slow call at most.
    const main = yield* open(patience, { enableAutoPipelining: true, maxRetriesPerRequest: 1 })
    let readySince: number | undefined
    let lost = false
    main.redis.on("ready", () => {
      readySince = nowMillis()
      if (lost) log(Effect.logInfo("Redis is reachable again"))
      lost = false
    })
    main.redis.on("close", () => {
      if (readySince === undefined) return
      readySince = undefined
      lost = true
      log(Effect.logWarning("Redis is unreachable"))
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => (readySince = undefined)))

    return {
      call: main.call,
      script: ({ name, sha, lua }, args) =>
        main.call(name, (redis) =>
          redis.evalsha(sha, 0, ...args).catch((error: unknown) => {
            if (error instanceof Error && error.message.startsWith("NOSCRIPT")) return redis.eval(lua, 0, ...args)
            throw error
          }),
        ),
      // What it was doing when the connection broke may be done or not: it fails at once and is never sent again.
      connect: (blocking) => open(blocking + patience, { maxRetriesPerRequest: 0 }),
      readySince: Effect.sync(() => readySince),
    }
  })
}
