/** A process that we start, watch and stop by its own id, whatever happens to the one who started it. */
import { type ChildProcess, spawn } from "node:child_process"
import { createWriteStream, existsSync, readdirSync, readFileSync } from "node:fs"
import * as Effect from "effect/Effect"

export interface ChildOptions {
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Everything that it prints. */
  readonly log: string
  /** Run as this user and group; only root can. */
  readonly uid?: number | undefined
  /** How long it may take to end after SIGTERM before it is killed. */
  readonly patienceMillis: number
}

const alive = (child: ChildProcess) => child.pid !== undefined && child.exitCode === null && child.signalCode === null

/** It leads a process group of its own, so that what it starts ends with it. */
const signal = (child: ChildProcess, name: NodeJS.Signals) => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name)
  } catch {
    // It is gone.
  }
}

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (!alive(child)) resume(Effect.void)
    else child.once("exit", () => resume(Effect.void))
  })

/** Of all processes in a group together. */
const peakKiB = (group: number): number => {
  let sum = 0
  if (!existsSync("/proc/self/stat")) return sum
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
      // After the name, which may hold anything: state, parent, group.
      if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]) !== group) continue
      sum += Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0)
    } catch {
      // It has ended meanwhile.
    }
  }
  return sum
}

export interface Child {
  readonly pid: number
  readonly alive: () => boolean
  /** SIGTERM, and SIGKILL if that takes too long; comes back when it has ended. */
  readonly stop: Effect.Effect<void>
  readonly signal: (name: NodeJS.Signals) => void
  readonly ended: Effect.Effect<void>
  /** The most memory that it and what it started ever had resident, in MiB; 0 where /proc does not tell. */
  readonly peakMiB: () => number
}

export const start = (options: ChildOptions) =>
  Effect.acquireRelease(
    Effect.sync((): Child => {
      const { args, cwd, env, log, patienceMillis, uid } = options
      const child = spawn(process.execPath, args, {
        cwd,
        env,
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
        ...(uid === undefined ? {} : { uid, gid: uid }),
      })
      const file = createWriteStream(log, { flags: "a" })
      child.stdout.pipe(file, { end: false })
      child.stderr.pipe(file, { end: false })
      child.on("error", (error) => file.write(`${error.message}\n`))
      let peak = 0
      const peakMiB = () => {
        peak = Math.max(peak, Math.round(peakKiB(child.pid ?? 0) / 1024))
        return peak
      }
      return {
        pid: child.pid ?? 0,
        alive: () => alive(child),
        signal: (name) => signal(child, name),
        ended: ended(child),
        peakMiB,
        stop: Effect.gen(function* () {
          peakMiB()
          signal(child, "SIGTERM")
          yield* ended(child).pipe(
            Effect.timeoutOrElse({
              duration: patienceMillis,
              orElse: () => Effect.sync(() => signal(child, "SIGKILL")),
            }),
          )
          yield* ended(child)
          // Whatever it left behind in its group.
          signal(child, "SIGKILL")
        }),
      }
    }),
    (child) => child.stop,
  )
