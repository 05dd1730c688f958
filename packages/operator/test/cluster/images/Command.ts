/** A command of the system's, run to its end. What it printed is in the error if it fails. */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { createWriteStream } from "node:fs"
import { finished } from "node:stream/promises"
import * as Effect from "effect/Effect"
import { ImageFailed } from "./Failed.ts"

export interface Command {
  /** Of what, for the error. */
  readonly image: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

const failed = ({ args, command, image }: Command, why: string) =>
  new ImageFailed({ image, message: `${command} ${args.slice(0, 6).join(" ")}: ${why.trim().slice(-1_500)}` })

const start = ({ args, command, cwd, env }: Command) =>
  spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
  })

const endOf = async (command: Command, child: ReturnType<typeof start>): Promise<void> => {
  let errors = ""
  child.stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4_000)))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", (error) => reject(failed(command, error.message)))
    child.on("close", resolve)
  })
  if (code !== 0) throw failed(command, `ended with ${code}: ${errors}`)
}

const attempt = <A>(command: Command, work: (signal: AbortSignal) => Promise<A>) =>
  Effect.tryPromise({
    try: work,
    catch: (cause) => (cause instanceof ImageFailed ? cause : failed(command, String(cause))),
  })

/** What it printed. */
export const run = (command: Command): Effect.Effect<string, ImageFailed> =>
  attempt(command, async (signal) => {
    const child = start(command)
    signal.addEventListener("abort", () => child.kill("SIGKILL"))
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    await endOf(command, child)
    return output
  })

/** What it printed goes into a file; the SHA-256 and the size of it come back. */
export const runInto = (
  command: Command,
  file: string,
): Effect.Effect<{ readonly sha256: string; readonly size: number }, ImageFailed> =>
  attempt(command, async (signal) => {
    const child = start(command)
    signal.addEventListener("abort", () => child.kill("SIGKILL"))
    const hash = createHash("sha256")
    let size = 0
    child.stdout.on("data", (chunk: Buffer) => {
      hash.update(chunk)
      size += chunk.length
    })
    const out = createWriteStream(file)
    child.stdout.pipe(out)
    await Promise.all([endOf(command, child), finished(out)])
    return { sha256: hash.digest("hex"), size }
  })
