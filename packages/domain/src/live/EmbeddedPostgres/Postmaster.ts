/**
 * One Postgres server in one data folder: makes the folder, starts the server, finds one left behind, stops it.
 * Two that start at once end up with one server: the folder appears whole by a rename, and Postgres itself lets only one
 * server into it. The server outlives the process that started it and keeps no pipe to it.
 */
import { spawn, spawnSync } from "node:child_process"
import {
  closeSync,
  chownSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type Account, accountFor } from "./Account.ts"
import { type Binaries, prepareBinaries } from "./Binaries.ts"
import { attempt, codeOf, type EmbeddedPostgresError, failure, fromSystem } from "./Failure.ts"
import type { Place } from "./Place.ts"
import { isAlive, isPostmasterOf, pause, signal } from "./Processes.ts"

export const user = "berth"
export const database = "berth"

/** Nothing of the caller's environment: PGDATA and its kin would change what runs. */
const environment = { LC_ALL: "C", TZ: "UTC", PATH: "/usr/bin:/bin" }

export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly ready: boolean
}

const pidFile = (data: string) => join(data, "postmaster.pid")

/** What postmaster.pid says: pid, folder, start, port, socket folder, address, shared memory, status. */
const readPidFile = (data: string): { readonly text: string; readonly said: Postmaster } | undefined => {
  let text: string
  try {
    text = readFileSync(pidFile(data), "utf8")
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined
    throw cause
  }
  const lines = text.split("\n")
  return { text, said: { pid: Number(lines[0]), port: Number(lines[3]), ready: lines[7]?.trim() === "ready" } }
}

/** The server that works in this folder now. A file that names a dead process or another program counts as none. */
export const findPostmaster = (data: string): Postmaster | undefined => {
  const said = readPidFile(data)?.said
  return said !== undefined && isPostmasterOf(said.pid, data) ? said : undefined
}

/**
 * Postgres refuses to start while the pid in its file is anybody's. Removes a file whose pid is not a server of this
 * folder; if somebody put a new one there at this very moment, it goes back.
 */
const removeStalePidFile = (data: string): void => {
  const stale = readPidFile(data)
  if (stale === undefined || isPostmasterOf(stale.said.pid, data)) return
  const aside = join(data, `postmaster.stale.${process.pid}`)
  try {
    renameSync(pidFile(data), aside)
    if (readFileSync(aside, "utf8") !== stale.text) linkSync(aside, pidFile(data))
  } catch (cause) {
    // Another start removed it, or put its own there, first.
    if (codeOf(cause) !== "ENOENT" && codeOf(cause) !== "EEXIST") throw cause
  } finally {
    rmSync(aside, { force: true })
  }
}

const run = (command: string, args: ReadonlyArray<string>, account: Account, home: string, input = ""): void => {
  const { error, status, stderr, stdout } = spawnSync(command, args, {
    ...account,
    cwd: home,
    env: environment,
    input,
    encoding: "utf8",
    timeout: 120_000,
  })
  if (status === 0) return
  throw failure(
    "Failed",
    `Postgres could not make its data folder: ${lastLine(`${stdout}\n${stderr}`) ?? error?.message ?? `status ${status}`}`,
  )
}

const lastLine = (log: string): string | undefined =>
  log
    .split("\n")
    .filter((line) => /FATAL|PANIC|error:/.test(line))
    .at(-1)
    ?.replace(/^.*?(?:FATAL|PANIC|error): */, "")

/** Makes the data folder beside its place and moves it there whole, so that a crash leaves all of it or nothing. */
const initialise = (
  { data, home, password }: Place,
  { initdb, postgres }: Binaries,
  account: Account,
  fsync: boolean,
): void => {
  for (const name of readdirSync(home)) {
    const pid = /^init-(\d+)/.exec(name)?.[1]
    if (pid !== undefined && (Number(pid) === process.pid || !isAlive(Number(pid)))) {
      rmSync(join(home, name), { recursive: true, force: true })
    }
  }
  const draft = join(home, `init-${process.pid}`)
  const passwordFile = join(home, `init-${process.pid}-password`)
  mkdirSync(draft, { mode: 0o700 })
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 })
  if (account !== undefined) {
    chownSync(draft, account.uid, account.gid)
    chownSync(passwordFile, account.uid, account.gid)
  }
  try {
    run(
      initdb,
      [
        `--pgdata=${draft}`,
        `--username=${user}`,
        "--auth=scram-sha-256",
        `--pwfile=${passwordFile}`,
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        ...(fsync ? [] : ["--no-sync"]),
      ],
      account,
      home,
    )
    run(
      postgres,
      ["--single", "-j", ...(fsync ? [] : ["-F"]), "-D", draft, "postgres"],
      account,
      home,
      `create database ${database}`,
    )
    renameSync(draft, data)
  } catch (cause) {
    // Another start was faster: its folder is as good as this one.
    if (codeOf(cause) !== "ENOTEMPTY" && codeOf(cause) !== "EEXIST") throw cause
  } finally {
    rmSync(draft, { recursive: true, force: true })
    rmSync(passwordFile, { force: true })
  }
}

const freePort: Effect.Effect<number, EmbeddedPostgresError> = Effect.callback((resume) => {
  const server = createServer()
  server.on("error", (cause) => resume(Effect.fail(fromSystem("127.0.0.1")(cause))))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Longer than a crash recovery of an embedded database takes, shorter than anyone's patience. */
const patience = 60_000
const poll = pause(20)

interface Launched {
  readonly pid: number
  exited(): boolean
  log(): string
}

const launch = (
  { data, home }: Place,
  { postgres }: Binaries,
  account: Account,
  port: number,
  fsync: boolean,
): Launched => {
  const log = join(home, "server.log")
  try {
    renameSync(log, `${log}.1`)
  } catch {
    // The first start has none.
  }
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    log_checkpoints: "off",
    ...(fsync
      ? {}
      : {
          fsync: "off",
          synchronous_commit: "off",
          full_page_writes: "off",
          max_connections: "300",
          autovacuum: "off",
        }),
  }
  const out = openSync(log, "a", 0o600)
  try {
    const child = spawn(
      postgres,
      ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      { ...account, cwd: home, env: environment, detached: true, stdio: ["ignore", out, out] },
    )
    let exited = false
    child.on("exit", () => (exited = true))
    child.on("error", () => (exited = true))
    child.unref()
    return { pid: child.pid ?? 0, exited: () => exited, log: () => readFileSync(log, "utf8") }
  } finally {
    closeSync(out)
  }
}

/**
 * Brings up the server of a place, or finds the one that runs there already. Not interruptible: a server half started
 * could not be found, so could not be stopped.
 */
export const startPostmaster = (place: Place, options: { readonly fsync: boolean }) =>
  Effect.uninterruptible(start(place, options))

const start = Effect.fnUntraced(function* (place: Place, options: { readonly fsync: boolean }) {
  const { data, home } = place
  const deadline = performance.now() + patience
  let port = place.port
  let binaries: Binaries | undefined
  let complaint = "it did not become ready"

  while (performance.now() < deadline) {
    const running = yield* attempt(home, () => findPostmaster(data))
    if (running?.ready === true) return running
    if (running !== undefined) {
      yield* poll
      continue
    }
    const account = yield* attempt(home, () => accountFor(data))
    const ready = binaries ?? (yield* attempt(home, () => prepareBinaries(home, account)))
    binaries = ready
    yield* attempt(home, () => {
      if (statusOf(data) === "empty") initialise(place, ready, account, options.fsync)
      removeStalePidFile(data)
    })
    const chosen = port ?? (yield* freePort)
    const launched = yield* attempt(home, () => launch(place, ready, account, chosen, options.fsync))
    while (performance.now() < deadline) {
      const found = yield* attempt(home, () => findPostmaster(data))
      if (found?.ready === true) return found
      if (launched.exited()) break
      yield* poll
    }
    const log = yield* attempt(home, launched.log)
    complaint = lastLine(log) ?? complaint
    if (/could not bind/.test(log)) {
      // Somebody else has the remembered port by now.
      port = undefined
    } else if (/lock file|shared memory block/.test(log)) {
      // Another start was faster, or children of a killed server still hold its memory: both pass.
      yield* pause(200)
    } else if (launched.exited()) {
      break
    }
  }
  return yield* Effect.fail(
    failure("Failed", `Postgres does not start in ${data}: ${complaint} (more in ${join(home, "server.log")})`),
  )
})

const statusOf = (data: string): "empty" | "made" => {
  try {
    readFileSync(join(data, "PG_VERSION"))
    return "made"
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return "empty"
    throw cause
  }
}

/** Ends the server of a data folder, politely and then not. It keeps what was committed either way. */
export const stopPostmaster = Effect.fnUntraced(function* (home: string) {
  const data = join(home, "data")
  const running = yield* attempt(home, () => findPostmaster(data))
  if (running === undefined) return false
  for (const [name, wait] of [
    ["SIGINT", 15_000],
    ["SIGQUIT", 5_000],
    ["SIGKILL", 2_000],
  ] as const) {
    yield* attempt(home, () => signal(running.pid, name))
    const until = performance.now() + wait
    while (performance.now() < until) {
      if (!isAlive(running.pid)) return true
      yield* poll
    }
  }
  return yield* Effect.fail(failure("Failed", `Postgres (pid ${running.pid}) in ${data} does not stop: end it by hand`))
})
