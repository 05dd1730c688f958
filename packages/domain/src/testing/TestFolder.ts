/**
 * Where a run of the tests keeps its servers: `.berth/test/<process>`. Each server leaves a pid file there, so that what a
 * run killed with -9 left behind is found and removed by the next one.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { erase } from "../live/EmbeddedPostgres.ts"
import { attempt } from "../live/EmbeddedPostgres/Failure.ts"
import { erasePlace, existingHome } from "../live/EmbeddedPostgres/Place.ts"
import { findPostmaster } from "../live/EmbeddedPostgres/Postmaster.ts"
import { isAlive, livingPid, ownName, signal } from "../live/EmbeddedPostgres/Processes.ts"

/** The checkout. */
export const root = join(import.meta.dirname, "../../../..")
export const berthFolder = join(root, ".berth")
const runs = join(berthFolder, "test")

/** Names the run's folder to the processes that run its tests. */
export const runVariable = "BERTH_TEST_RUN"

export const postgresFolder = (run: string) => join(run, "postgres")

/** The folder of this run, empty, once earlier runs that died are cleared away. */
export const openRun = Effect.fnUntraced(function* () {
  const others = yield* attempt(runs, () => {
    mkdirSync(runs, { recursive: true })
    return readdirSync(runs).filter((name) => name === ownName() || livingPid(name) === undefined)
  })
  for (const name of others) yield* closeRun(join(runs, name))
  const run = join(runs, ownName())
  yield* attempt(run, () => mkdirSync(run))
  return run
})

/** Stops every server of a run that is still there and deletes its folder. */
export const closeRun = Effect.fnUntraced(function* (run: string) {
  yield* attempt(run, () => killServers(run))
  yield* erase({ folder: postgresFolder(run) })
  yield* attempt(run, () => rmSync(run, { recursive: true, force: true }))
})

/**
 * The same at once and by force, for a process that is about to exit: a signal ends the test command without its
 * teardown. The data is worth nothing, so Postgres need not write it out.
 */
export const closeRunNow = (run: string): void => {
  killServers(run)
  const folder = postgresFolder(run)
  const home = existingHome(folder)
  const server = home === undefined ? undefined : findPostmaster(join(home, "data"))?.pid
  if (server !== undefined) {
    signal(server, "SIGQUIT")
    for (let waited = 0; isAlive(server) && waited < 2_000; waited += 10) sleepNow(10)
    if (isAlive(server)) signal(server, "SIGKILL")
  }
  erasePlace(folder)
  rmSync(run, { recursive: true, force: true, maxRetries: 5 })
}

const sleepNow = (millis: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis)

/** What else a run starts: its pid file, and what its command line must contain, because a pid may be another program's by now. */
const helpers = [
  { file: "redis.pid", program: /redis|valkey/ },
  { file: "toxiproxy.pid", program: /toxiproxy/ },
  { file: "versitygw.pid", program: /versitygw/ },
] as const

export const killServers = (run: string): void => {
  for (const name of readdirSync(run)) {
    for (const { file, program } of helpers) {
      try {
        const pid = Number(readFileSync(join(run, name, file), "utf8"))
        if (isAlive(pid) && program.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"))) signal(pid, "SIGKILL")
      } catch {
        // Not a folder of such a server, or it is gone.
      }
    }
  }
}
