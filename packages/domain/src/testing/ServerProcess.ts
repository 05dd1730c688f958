/**
 * A server that a test starts for itself: on a free port, with a folder of its own, both gone when the scope closes. Its pid
 * file is for the next run, should this one be killed.
 */
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isAlive, pause, signal } from "../live/EmbeddedPostgres/Processes.ts"
import { freePorts } from "./FreePorts.ts"
import { runVariable } from "./TestFolder.ts"

export class ServerFailed extends Schema.TaggedError<ServerFailed>()("ServerFailed", { message: Schema.String }) {}

export interface ServerPlace {
  readonly port: number
  readonly folder: string
}

export interface ServerProgram {
  /** Names its folder and its pid file. */
  readonly name: string
  readonly binary: string
  readonly args: (place: ServerPlace) => ReadonlyArray<string>
  /** Variables besides those of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** What stands in its folder before it starts; nothing, if not given. */
  readonly folders?: ReadonlyArray<string>
  /** What is asked until it is up. */
  readonly path: string
  readonly isUp: (answer: Response) => boolean
}

const patienceMillis = 20_000

const once = Effect.fnUntraced(function* ({ args, binary, env, folders = [], isUp, name, path }: ServerProgram) {
  const parent = process.env[runVariable] ?? tmpdir()
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(parent, { recursive: true })
      const made = mkdtempSync(join(parent, `${name}-`))
      for (const one of folders) mkdirSync(join(made, one), { recursive: true })
      return made
    }),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
  )
  const [port = 0] = yield* Effect.promise(() => freePorts(1))
  let output = ""
  const pid = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(binary, args({ port, folder }), {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, ...env },
        cwd: folder,
      })
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk: Buffer) => {
          output = (output + chunk.toString()).slice(-4_000)
        })
      child.on("error", (error) => {
        output += error.message
      })
      child.unref()
      writeFileSync(join(folder, `${name}.pid`), String(child.pid ?? 0))
      return child.pid ?? 0
    }),
    (one) =>
      Effect.gen(function* () {
        if (isAlive(one)) signal(one, "SIGKILL")
        while (isAlive(one)) yield* pause(5)
      }),
  )
  const deadline = performance.now() + patienceMillis
  while (isAlive(pid) && performance.now() < deadline) {
    const answered = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}${path}`).then(isUp, () => false))
    if (answered) return { port, folder } satisfies ServerPlace as ServerPlace
    yield* pause(20)
  }
  return yield* new ServerFailed({
    message: `${name} does not start on port ${port}: ${output.trim().split("\n").at(-1)}`,
  })
})

/** Starts it, and gives its place once it is up. */
export const startServer = (program: ServerProgram) =>
  // Another may have taken the port since it was found free.
  Effect.retry(once(program), { times: 3, while: (error) => error._tag === "ServerFailed" })
