/** Programs of Berth as processes of their own, on ports and folders that nobody else uses. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as FreePorts from "@berth/domain/testing/FreePorts"
import * as Effect from "effect/Effect"

const packages = join(import.meta.dirname, "../../..")
export const programs = {
  berth: join(packages, "control/src/bin/berth.ts"),
  api: join(packages, "control/src/bin/api.ts"),
  web: join(packages, "control/src/bin/web.ts"),
  onboarding: join(packages, "control/src/bin/onboarding.ts"),
  billing: join(packages, "control/src/bin/billing.ts"),
  migrate: join(packages, "control/src/bin/migrate.ts"),
  ops: join(packages, "control/src/bin/ops.ts"),
  proxy: join(packages, "proxy/src/bin/token-proxy.ts"),
  operator: join(packages, "operator/src/bin/operator.ts"),
}
export type Program = keyof typeof programs

export interface Running {
  readonly child: ChildProcess
  /** All it printed. */
  readonly output: () => string
  /** Its exit code. */
  readonly ended: Effect.Effect<number | null>
}

/** With these variables and no others. Killed, if it still runs, with the scope. */
export const run = (program: Program, variables: Readonly<Record<string, string>>, args: ReadonlyArray<string> = []) =>
  Effect.acquireRelease(
    Effect.sync((): Running => {
      const { PATH = "" } = process.env
      const env = { PATH, ...variables }
      const child = spawn(process.execPath, [programs[program], ...args], { env, stdio: ["ignore", "pipe", "pipe"] })
      let output = ""
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (data: Buffer) => (output += data.toString()))
      const closed = once(child, "close")
      return {
        child,
        output: () => output,
        ended: Effect.promise(() => closed.then(([code]) => code as number | null)),
      }
    }),
    ({ child, ended }) =>
      Effect.suspend(() => {
        child.kill("SIGKILL")
        return ended
      }),
  )

/** Runs to its end. */
export const outcome = (
  program: Program,
  variables: Readonly<Record<string, string>>,
  args: ReadonlyArray<string> = [],
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { ended, output } = yield* run(program, variables, args)
      return { code: yield* ended, output: output() }
    }),
  )

export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-bin-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
)

/** Ports that are free now, all different. */
export const freePorts = (count: number): Effect.Effect<ReadonlyArray<number>> =>
  Effect.promise(() => FreePorts.freePorts(count))

/** A port that somebody listens on. */
export const busyPort = Effect.map(
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer().listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    }),
    (server) => Effect.sync(() => server.close()),
  ),
  (server) => (server.address() as AddressInfo).port,
)

/** Waits until it is so. */
export const until = (is: () => boolean, orTell: () => string) =>
  Effect.gen(function* () {
    while (!is()) yield* Effect.sleep(20)
  }).pipe(Effect.timeoutOrElse({ duration: "40 seconds", orElse: () => Effect.die(new Error(orTell())) }))
