/**
 * Everything that is killed: two token-proxies, two billings (their recorders are what matters), a Redis with an append-only
 * file and a durable Postgres. Each dies by SIGKILL and comes back on the same ports and data; when it lived is kept.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as EmbeddedPostgres from "@berth/domain/live/EmbeddedPostgres"
import { openPlace } from "@berth/domain/live/EmbeddedPostgres/Place"
import { findPostmaster, startPostmaster } from "@berth/domain/live/EmbeddedPostgres/Postmaster"
import { isAlive, pause, signal } from "@berth/domain/live/EmbeddedPostgres/Processes"
import { cutPower, written } from "@berth/domain/testing/RedisDisk"
import { type RedisServer, startRedis } from "@berth/domain/testing/RedisServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as ProgramProcess from "../../packages/proxy/test/processes/ProgramProcess.ts"
import * as ProxyProcess from "../../packages/proxy/test/processes/ProxyProcess.ts"
import type { Dice } from "./Dice.ts"

export type Durability = "always" | "everysec"

/** From a start to a kill, epoch ms; `to` is undefined while it lives. */
export interface Life {
  readonly from: number
  to: number | undefined
}

/** A power cut of Redis and what its disk did not have: what came last, or all of it. */
export interface Cut {
  readonly at: number
  readonly lostBytes: number
  readonly whole: boolean
}

export interface Target {
  readonly name: string
  /** How often it is chosen, beside the others. */
  readonly weight: number
  readonly lives: ReadonlyArray<Life>
  readonly isUp: () => boolean
  /** SIGKILL, a pause, and its start, however often that takes. */
  readonly die: (downMillis: number) => Effect.Effect<void>
}

const target = (
  name: string,
  weight: number,
  kill: Effect.Effect<void, unknown>,
  start: Effect.Effect<unknown, unknown>,
): Target => {
  const lives: Array<Life> = [{ from: Date.now(), to: undefined }]
  const last = () => lives.at(-1) as Life
  let up = true
  // What it needs may be down as well, so its start may fail for a while.
  const back = Effect.repeat(Effect.exit(start), {
    schedule: Schedule.spaced("200 millis"),
    until: (exit) => Exit.isSuccess(exit),
  })
  const die = (downMillis: number) =>
    Effect.gen(function* () {
      up = false
      yield* kill
      last().to = Date.now()
      yield* Effect.sleep(downMillis)
      yield* back
      lives.push({ from: Date.now(), to: undefined })
      up = true
    }).pipe(Effect.orDie, Effect.uninterruptible)
  return { name, weight, lives, isUp: () => up, die }
}

/** What the disk surely has of Redis' file: everything that was written two seconds ago, and all that it began with. */
const watchDisk = Effect.fnUntraced(function* (redis: RedisServer) {
  const seen: Array<{ readonly at: number; readonly bytes: number }> = []
  let least = 0
  const look = Effect.sync(() => {
    seen.push({ at: Date.now(), bytes: written(redis) })
    if (seen.length > 100) seen.shift()
  })
  yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced("50 millis")))
  return {
    begins: Effect.sync(() => {
      least = written(redis)
      seen.length = 0
    }),
    /** Bytes that were there so long ago. */
    before: (millis: number) => {
      const then = Date.now() - millis
      return Math.max(least, seen.findLast(({ at }) => at <= then)?.bytes ?? least)
    },
  }
})

const redisTarget = Effect.fnUntraced(function* (
  redis: RedisServer,
  durability: Durability,
  luck: Dice,
  cuts: Array<Cut>,
) {
  const disk = yield* watchDisk(redis)
  const losing = Effect.gen(function* () {
    const at = Date.now()
    const whole = luck.chance(0.15)
    // Redis forces its file to the disk once a second, and may be a second late with that. Some of what came later may
    // be there as well, down to half a command.
    const sure = disk.before(luck.between(100, 2_000))
    const more = luck.chance(0.5) ? Math.floor(luck.next() * (written(redis) - sure)) : 0
    const lostBytes = yield* cutPower(redis, whole ? 0 : sure + more)
    cuts.push({ at, lostBytes, whole })
  })
  const kill = Effect.suspend(() => (durability === "everysec" && luck.chance(0.6) ? losing : redis.kill))
  return target("redis", 3, kill, Effect.andThen(redis.start, disk.begins))
})

const postgresTarget = Effect.fnUntraced(function* (folder: string) {
  const { url } = yield* EmbeddedPostgres.make({ folder })
  const place = openPlace(folder)
  const kill = Effect.gen(function* () {
    const running = findPostmaster(place.data)
    if (running === undefined) return
    signal(running.pid, "SIGKILL")
    while (isAlive(running.pid)) yield* pause(10)
  })
  return { url: Redacted.value(url), postgres: target("postgres", 1, kill, startPostmaster(place, { fsync: true })) }
})

const processTarget = (name: string, running: ProgramProcess.ProgramProcess) =>
  target(name, 2, running.kill, running.start)

/** An empty folder, gone with the scope. */
const folderIn = (parent: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(parent, { recursive: true })
      return mkdtempSync(join(parent, "chaos-"))
    }),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
  )

export interface Options {
  readonly parent: string
  readonly durability: Durability
  readonly luck: Dice
  readonly kimiUrl: string
  /** Brings the database up to date and puts the customers into it, before any service starts. */
  readonly prepare: (databaseUrl: string) => Effect.Effect<void>
}

/** Starts it all in the current scope. */
export const make = Effect.fn("Stage.make")(function* ({ parent, durability, luck, kimiUrl, prepare }: Options) {
  const folder = yield* folderIn(parent)
  yield* Effect.addFinalizer(() => Effect.ignore(EmbeddedPostgres.erase({ folder: join(folder, "postgres") })))
  // Where a later run finds it, should this one be killed.
  const redis = yield* startRedis({ parent, appendonly: true, appendfsync: durability })
  const cuts: Array<Cut> = []
  const { url: databaseUrl, postgres } = yield* postgresTarget(join(folder, "postgres"))
  yield* prepare(databaseUrl)
  const env = { DATABASE_URL: databaseUrl, REDIS_URL: redis.url, BERTH_DIR: join(folder, "berth") }
  const billing = ProgramProcess.make({
    program: "packages/control/src/bin/billing.ts",
    ports: ["BILLING_PORT", "BILLING_OPS_PORT"],
    env,
  })
  const proxy = ProxyProcess.make({ redisUrl: redis.url, databaseUrl, kimiUrl })
  const [proxies, billings] = yield* Effect.all(
    [
      Effect.all([proxy, proxy], { concurrency: 2 }),
      // They make the keys of this machine, so one after the other.
      Effect.all([billing, billing]),
    ],
    { concurrency: 2 },
  )
  const proxyTargets = proxies.map((one, index) => processTarget(`proxy ${index}`, one))
  const redisItself = yield* redisTarget(redis, durability, luck, cuts)
  const targets = [
    ...proxyTargets,
    ...billings.map((one, index) => processTarget(`recorder ${index}`, one)),
    redisItself,
    postgres,
  ]
  return { redisUrl: redis.url, databaseUrl, proxies, proxyTargets, redis: redisItself, cuts, targets }
})

export type Stage = Effect.Success<ReturnType<typeof make>>

/** Kills one after another, each 1 to 3 s after the one before, and only what is up; several may be down at once. */
export const havoc = ({ targets }: Stage, luck: Dice, say: (line: string) => void) =>
  Effect.gen(function* () {
    const begun = Date.now()
    const bag = targets.flatMap((one) => Array.from({ length: one.weight }, () => one))
    while (true) {
      yield* Effect.sleep(luck.between(1_000, 3_000))
      const victim = luck.pick(bag)
      const down = luck.between(100, 1_500)
      if (!victim.isUp()) continue
      say(`${((Date.now() - begun) / 1_000).toFixed(1).padStart(6)} s  kill -9 ${victim.name}`)
      yield* Effect.forkScoped(victim.die(down))
    }
  })

/** Waits until everything is up again. */
export const allUp = ({ targets }: Stage) =>
  Effect.gen(function* () {
    while (targets.some((one) => !one.isUp())) yield* Effect.sleep(100)
  })
