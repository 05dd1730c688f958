/** The operator's own program as a process of its own, on a real cluster and a real Redis: to be killed and measured. */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePorts } from "@berth/domain/testing/FreePorts"
import * as Effect from "effect/Effect"
import { embeddedImage } from "../src/Settings.ts"
import { identity } from "./World.ts"

const program = join(import.meta.dirname, "../src/bin/operator.ts")

export interface ProcessOptions {
  readonly kubeconfig: string
  readonly redisUrl: string
  readonly env?: Readonly<Record<string, string>>
}

export interface OperatorProcess {
  readonly pid: number
  /** Everything that it printed. */
  readonly printed: () => string
  readonly ready: Effect.Effect<boolean>
  /** What its `/metrics` says now: each line's value by its name and labels. */
  readonly metrics: Effect.Effect<ReadonlyMap<string, number>>
  /** Bytes of memory that it holds. */
  readonly resident: Effect.Effect<number>
  /** SIGKILL or SIGTERM; comes back when it is gone. */
  readonly end: (signal: "SIGKILL" | "SIGTERM") => Effect.Effect<void>
}

export const valuesOf = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text.split("\n").flatMap((line) => {
      const [, name, value] = /^(\w+(?:\{.*\})?) (\S+)$/.exec(line) ?? []
      return name === undefined ? [] : [[name, Number(value)] as const]
    }),
  )

/** Runs with the scope; comes back at once. */
export const start = Effect.fn("OperatorProcess.start")(function* ({ kubeconfig, redisUrl, env = {} }: ProcessOptions) {
  const [port = 0, inspection = 0] = yield* Effect.promise(() => freePorts(2))
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-operator-"))),
    (one) => Effect.sync(() => rmSync(one, { recursive: true, force: true })),
  )
  const running = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [program], {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          PATH: process.env.PATH ?? "",
          HOME: process.env.HOME ?? "",
          KUBECONFIG: kubeconfig,
          REDIS_URL: redisUrl,
          OPERATOR_AGE_IDENTITY: identity,
          OPENCLAW_IMAGE: embeddedImage,
          EXPORTER_IMAGE: embeddedImage,
          OPERATOR_TOKEN: "a-token-of-the-test-and-of-nothing-else",
          BERTH_DIR: folder,
          OPERATOR_OPS_PORT: String(port),
          OPERATOR_PORT: String(inspection),
          ...env,
        },
      })
      let printed = ""
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk: Buffer) => {
          printed += chunk.toString()
        })
      return { child, printed: () => printed }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL")),
  )
  const { child, printed } = running
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const ask = (path: string) =>
    Effect.tryPromise(() => fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5_000) }))
  return {
    pid: child.pid ?? 0,
    printed,
    ready: ask("/readyz").pipe(
      Effect.map(({ status }) => status === 200),
      Effect.orElseSucceed(() => false),
    ),
    metrics: ask("/metrics").pipe(
      Effect.flatMap((response) => Effect.promise(() => response.text())),
      Effect.map(valuesOf),
      Effect.orDie,
    ),
    resident: Effect.sync(
      () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0) * 1_024,
    ),
    end: (signal) => Effect.sync(() => child.kill(signal)).pipe(Effect.andThen(Effect.promise(() => ended))),
  } satisfies OperatorProcess
})

/** Waits until it says that it is ready; a process that ended is told by its last words. */
export const untilReady = (one: OperatorProcess) =>
  Effect.gen(function* () {
    for (const began = performance.now(); performance.now() - began < 60_000;) {
      if (yield* one.ready) return
      yield* Effect.sleep("50 millis")
    }
    return yield* Effect.die(new Error(`the operator is not ready:\n${one.printed().slice(-2_000)}`))
  })
