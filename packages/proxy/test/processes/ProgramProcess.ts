/**
 * A program of this repository as a process of its own: started on ports that are free, ready when its ops port says so,
 * killed by its pid, started again on the same ports. It is gone when the scope closes, or when the test run dies.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { freePorts } from "@berth/domain/testing/FreePorts"
import * as Effect from "effect/Effect"

const repository = join(import.meta.dirname, "../../../..")

export interface Options {
  /** From the root of the repository: `packages/proxy/src/bin/token-proxy.ts`. */
  readonly program: string
  /** The variables that name its ports; the last one is its ops port. */
  readonly ports: readonly [...ReadonlyArray<string>, string]
  /** Everything else that it is told. Of this process it gets PATH alone. */
  readonly env: Readonly<Record<string, string>>
  /** Modules that it loads before anything else. */
  readonly preload?: ReadonlyArray<string>
}

export interface ProgramProcess {
  /** `http://127.0.0.1:<port>`, one for each of the given ports, the same after every start. */
  readonly origins: ReadonlyArray<string>
  /** Undefined while there is none. */
  readonly pid: () => number | undefined
  /** What it printed since it was first started, on both streams. */
  readonly output: () => string
  /** Starts it again after `kill` or `stop`; returns when it is ready. */
  readonly start: Effect.Effect<void>
  /** kill -9, and it is gone when this returns. */
  readonly kill: Effect.Effect<void>
  /** SIGTERM; its exit code. */
  readonly stop: Effect.Effect<number | null>
  /** Whether its ops port says so. */
  readonly isReady: Effect.Effect<boolean>
}

const gone = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

const answers = (url: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      (response) => response.ok,
      () => false,
    ),
  )

/** Starts it; fails the test, with what it printed, if it ends or is not ready within two minutes. */
export const make = Effect.fn("ProgramProcess.make")(function* (options: Options) {
  const { program, env, preload = [] } = options
  const args = [join(import.meta.dirname, "EndWithParent.ts"), ...preload].flatMap((module) => ["--import", module])
  let ports = yield* Effect.promise(() => freePorts(options.ports.length))
  let output = ""
  let child: ChildProcess | undefined
  let used = false
  const ready = Effect.suspend(() => answers(`http://127.0.0.1:${ports.at(-1)}/readyz`))

  const spawnOnce = Effect.sync(() => {
    const variables = Object.fromEntries(options.ports.map((name, index) => [name, String(ports[index])]))
    const { PATH = "" } = process.env
    const started = spawn(process.execPath, [...args, join(repository, program)], {
      env: { PATH, ...env, ...variables },
      stdio: ["ignore", "pipe", "pipe"],
    })
    for (const stream of [started.stdout, started.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-1_000_000)
      })
    }
    child = started
    return started
  })

  const start = Effect.gen(function* () {
    if (child !== undefined && !gone(child)) return
    for (let tries = 0; ; tries++) {
      const before = output.length
      const started = yield* spawnOnce
      const deadline = performance.now() + 120_000
      while (!gone(started) && performance.now() < deadline) {
        if (yield* ready) {
          used = true
          return
        }
        yield* Effect.sleep(50)
      }
      if (!gone(started)) started.kill("SIGKILL")
      const said = output.slice(before)
      // Somebody else was quicker; once the ports are known to others they stay.
      if (!used && tries < 5 && /is busy/.test(said)) ports = yield* Effect.promise(() => freePorts(ports.length))
      else return yield* Effect.die(new Error(`${program} does not start; it printed:\n${said}`))
    }
  })
  const end = (signal: NodeJS.Signals) =>
    Effect.promise(async () => {
      const running = child
      if (running === undefined) return null
      if (!gone(running)) {
        running.kill(signal)
        await once(running, "exit")
      }
      return running.exitCode
    })

  yield* Effect.acquireRelease(start, () => end("SIGKILL"))
  return {
    origins: ports.map((port) => `http://127.0.0.1:${port}`),
    pid: () => (child === undefined || gone(child) ? undefined : child.pid),
    output: () => output,
    start,
    kill: Effect.asVoid(end("SIGKILL")),
    stop: end("SIGTERM"),
    isReady: ready,
  } satisfies ProgramProcess as ProgramProcess
})
