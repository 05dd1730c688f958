/**
 * A server that the integration tier takes from its Go module: the one on PATH, else one built once by Go into `.berth`. On
 * failure: one line that says how to get it.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { onPath } from "./OnPath.ts"
import { berthFolder } from "./TestFolder.ts"

export class GoBinaryMissing extends Schema.TaggedError<GoBinaryMissing>()("GoBinaryMissing", {
  message: Schema.String,
}) {}

export interface GoProgram {
  /** As people call it. */
  readonly title: string
  /** As it is called on PATH. */
  readonly name: string
  readonly version: string
  /** The package to install, without its version; its last part is what Go calls the program. */
  readonly module: string
}

const folderOf = ({ name }: GoProgram) => join(berthFolder, name)
const cachedAt = (program: GoProgram) => join(folderOf(program), `${program.name}-${program.version}`)

const missing = ({ title, name }: GoProgram, why: string) =>
  new GoBinaryMissing({
    message: `The integration tier needs ${title}: no ${name} on PATH, and ${why}: install Go 1.23 or newer (https://go.dev/dl), or ${name} itself`,
  })

/** Fails if there is neither a server nor a Go to build it with. Costs nothing, so that a tier can ask before it starts. */
export const possible = (program: GoProgram): Effect.Effect<void, GoBinaryMissing> =>
  Effect.suspend(() =>
    onPath(program.name) === undefined && !existsSync(cachedAt(program)) && onPath("go") === undefined
      ? Effect.fail(missing(program, "no go to build it with"))
      : Effect.void,
  )

const install = (module: string, into: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn("go", ["install", module], {
      env: { ...process.env, GOBIN: into, CGO_ENABLED: "0" },
      stdio: ["ignore", "ignore", "pipe"],
    })
    let said = ""
    child.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2_000)))
    child.on("error", reject)
    child.on("close", (code) =>
      code === 0 ? resolve() : reject(new Error(said.trim().split("\n").at(-1) ?? `go ended with ${code}`)),
    )
  })

const buildOnce = async (program: GoProgram): Promise<string> => {
  const cached = cachedAt(program)
  if (existsSync(cached)) return cached
  const folder = folderOf(program)
  mkdirSync(folder, { recursive: true })
  const draft = mkdtempSync(join(folder, "build-"))
  try {
    await install(`${program.module}@${program.version}`, draft)
    renameSync(join(draft, program.module.split("/").at(-1) ?? ""), cached)
    return cached
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Path of a program that can be run. The first call of a checkout builds it, which takes minutes. */
export const binary = (program: GoProgram): Effect.Effect<string, GoBinaryMissing> =>
  Effect.tryPromise({
    try: async () => onPath(program.name) ?? (await buildOnce(program)),
    catch: (cause) =>
      missing(program, `Go could not build it (${cause instanceof Error ? cause.message : String(cause)})`),
  })
