/**
 * The processes of a cluster, described by files in its folder, so that any process (a test's worker, the one that set the
 * cluster up, the next run) can kill and start them. They are killed with -9: nothing they hold is worth a graceful end,
 * and a test that kills one means it.
 */
import { spawn } from "node:child_process"
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { livingPid, processName, signal } from "@berth/domain/live/EmbeddedPostgres/Processes"

export interface Component {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Variables besides PATH and HOME; a component sees no others. */
  readonly env?: Readonly<Record<string, string>>
  /** A network namespace to run in, by its file. */
  readonly network?: string
}

const place = (folder: string) => join(folder, "components")
const specFile = (folder: string, name: string) => join(place(folder), `${name}.json`)
const pidFile = (folder: string, name: string) => join(place(folder), `${name}.pid`)

export const logFile = (folder: string, name: string) => join(folder, "log", `${name}.log`)

/** Writes down how a component is started. */
export const define = (folder: string, name: string, component: Component): void => {
  mkdirSync(place(folder), { recursive: true })
  mkdirSync(join(folder, "log"), { recursive: true })
  writeFileSync(specFile(folder, name), JSON.stringify(component))
}

const read = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

/** Its process, while that lives. */
export const pidOf = (folder: string, name: string): number | undefined => livingPid(read(pidFile(folder, name)) ?? "")

/** Starts what was defined; does nothing if it runs. */
export const start = (folder: string, name: string): void => {
  if (pidOf(folder, name) !== undefined) return
  const { args, command, env, network } = JSON.parse(readFileSync(specFile(folder, name), "utf8")) as Component
  const log = openSync(logFile(folder, name), "a")
  // Not `ip netns exec`: that mounts /sys anew, and the cgroups below it are gone.
  const [program, ...rest] =
    network === undefined ? [command, ...args] : ["nsenter", `--net=${network}`, "--", command, ...args]
  try {
    const child = spawn(program ?? "", rest, {
      cwd: folder,
      env: { PATH: process.env.PATH ?? "", HOME: folder, ...env },
      stdio: ["ignore", log, log],
      detached: true,
    })
    child.on("error", (error) => writeFileSync(logFile(folder, name), `${error.message}\n`, { flag: "a" }))
    child.unref()
    if (child.pid !== undefined) writeFileSync(pidFile(folder, name), processName(child.pid))
  } finally {
    closeSync(log)
  }
}

/** One that has died may have threads that die some moments later; until then they hold its sockets. */
const threadsOf = (pid: number): number => {
  try {
    return readdirSync(`/proc/${pid}/task`).length
  } catch {
    return 0
  }
}

/** Kills it and waits until it is gone. Blocks the thread, so that it can be done while a process exits. */
export const kill = (folder: string, name: string): void => {
  const pid = pidOf(folder, name)
  if (pid !== undefined) {
    signal(pid, "SIGKILL")
    const isThere = () => pidOf(folder, name) !== undefined || threadsOf(pid) > 1
    for (let waited = 0; isThere() && waited < 10_000; waited += 5) sleepNow(5)
  }
  rmSync(pidFile(folder, name), { force: true })
}

export const sleepNow = (millis: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis)

/** Kills it for good. */
export const forget = (folder: string, name: string): void => {
  kill(folder, name)
  rmSync(specFile(folder, name), { force: true })
}

/** Every component that was defined. */
export const names = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(place(folder))
      .filter((name) => name.endsWith(".json"))
      .map((name) => name.slice(0, -".json".length))
  } catch {
    return []
  }
}

export const killAll = (folder: string): void => {
  const all = names(folder)
  for (const name of all) {
    const pid = pidOf(folder, name)
    if (pid !== undefined) signal(pid, "SIGKILL")
  }
  for (const name of all) kill(folder, name)
}

/** The end of what it printed. */
export const tail = (folder: string, name: string, lines = 15): string =>
  (read(logFile(folder, name)) ?? "").trimEnd().split("\n").slice(-lines).join("\n")
