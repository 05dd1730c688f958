/** Questions about processes that a bare pid cannot answer: pids are given out again, and the dead may linger as zombies. */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { setTimeout as delay } from "node:timers/promises"
import * as Effect from "effect/Effect"
import { codeOf } from "./Failure.ts"

const proc = existsSync("/proc/self/stat")

/** Fields of /proc/<pid>/stat from the third on; the second is the name and may hold anything. */
const stat = (pid: number): ReadonlyArray<string> | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    return text.slice(text.lastIndexOf(")") + 2).split(" ")
  } catch {
    return undefined
  }
}

export const isAlive = (pid: number): boolean => {
  if (!Number.isInteger(pid) || pid <= 0) return false
  if (proc) {
    const state = stat(pid)?.[0]
    return state !== undefined && state !== "Z" && state !== "X"
  }
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return codeOf(cause) === "EPERM"
  }
}

/** When the process began, in the kernel's own unit: tells a pid from the same pid given out again. */
const birthOf = (pid: number): string => stat(pid)?.[19] ?? "0"

/** A name for a process that no later process will have: pid and birth. */
export const processName = (pid: number): string => `${pid}-${birthOf(pid)}`

export const ownName = (): string => processName(process.pid)

/** The pid behind such a name, which may have a suffix, while that very process lives. */
export const livingPid = (name: string): number | undefined => {
  const [pid = 0, birth] = name.split("-").map(Number)
  return isAlive(pid) && birthOf(pid) === String(birth) ? pid : undefined
}

/** Whether this pid is the Postgres server that works in this data folder. */
export const isPostmasterOf = (pid: number, data: string): boolean => {
  if (!isAlive(pid)) return false
  if (!proc) return spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).stdout.includes(data)
  try {
    const [program = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")
    if (!/(?:^|\/)postgres$/.test(program)) return false
    if (args.includes(data)) return true
    // The folder may have been moved since: a server stands in its data folder.
    return statSync(`/proc/${pid}/cwd`).ino === statSync(data).ino
  } catch {
    return false
  }
}

/** Sends a signal; a process that is gone already is as good as signalled. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch (cause) {
    if (codeOf(cause) !== "ESRCH") throw cause
  }
}

/** Processes take real time, whatever a test's clock says. */
export const pause = (millis: number): Effect.Effect<void> => Effect.promise(() => delay(millis))
