/**
 * Starts a real Postgres and a real Redis for the integration and e2e tiers and stops them when the test command ends,
 * also on a signal. A server that cannot be had ends the command with one line and a non-zero exit, never with a skip.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { TestProject } from "vitest/node"
import { make } from "../live/EmbeddedPostgres.ts"
import { startRedis } from "./RedisServer.ts"
import { s3Possible } from "./S3Binary.ts"
import { databases, type TestServers } from "./Servers.ts"
import { stripeMockPossible } from "./StripeMockBinary.ts"
import { closeRun, closeRunNow, openRun, postgresFolder, runVariable } from "./TestFolder.ts"
import { toxiproxyPossible } from "./ToxiproxyBinary.ts"

interface Running {
  readonly servers: Promise<TestServers>
  readonly scope: Scope.Closeable
  users: number
}

/** Each tier loads this module anew; the servers are one for the process. */
const shared = globalThis as typeof globalThis & { berthTestServers?: Running }

const servers = Effect.gen(function* () {
  const run = yield* Effect.acquireRelease(openRun(), (folder) => Effect.ignore(closeRun(folder)))
  yield* atExit(() => closeRunNow(run))
  process.env[runVariable] = run
  const [postgres, redis] = yield* Effect.all(
    [make({ folder: postgresFolder(run), fsync: false }), startRedis({ parent: run, databases })],
    { concurrency: 2 },
  )
  return { postgresUrl: Redacted.value(postgres.url), redisUrl: redis.url }
})

/** Signals end the process without a teardown, but not without this. */
const atExit = (run: () => void) => {
  const onSignal = () => process.exit(130)
  return Effect.acquireRelease(
    Effect.sync(() => {
      process.once("exit", run)
      for (const name of signals) process.once(name, onSignal)
    }),
    () =>
      Effect.sync(() => {
        process.off("exit", run)
        for (const name of signals) process.off(name, onSignal)
      }),
  )
}
const signals = ["SIGTERM", "SIGHUP"] as const

const end = (cause: Cause.Cause<unknown>): never => {
  const error = Cause.squash(cause)
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  return process.exit(1)
}

const begin = (): Running => {
  const scope = Scope.makeUnsafe()
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  const starting = Effect.runPromiseExit(Scope.provide(servers, scope)).then(async (exit) => {
    if (Exit.isSuccess(exit)) return exit.value
    await close()
    return end(exit.cause)
  })
  return { servers: starting, scope, users: 0 }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // They are built by the first test that asks, which may take minutes; that they can't be had is known now.
  const builds = Effect.all([toxiproxyPossible, s3Possible, stripeMockPossible])
  const possible = Effect.runSyncExit(project.name === "integration" ? Effect.asVoid(builds) : Effect.void)
  if (Exit.isFailure(possible)) end(possible.cause)
  const running = (shared.berthTestServers ??= begin())
  running.users++
  const given = await running.servers
  project.provide("postgresUrl", given.postgresUrl)
  project.provide("redisUrl", given.redisUrl)
  return async () => {
    if (--running.users > 0) return
    delete shared.berthTestServers
    await Effect.runPromise(Scope.close(running.scope, Exit.void))
  }
}
