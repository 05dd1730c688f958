/**
 * The built pages. Invariant: `dist/web` holds one whole build, and `sources.sha256` in it says of which sources; a build
 * happens beside it and takes its place at the end. On failure the old bundle stays, and the error says what to do.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { ChildProcess, type ChildProcessSpawner } from "effect/process"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"

/** Vite could not build: a broken source, or its packages are not installed. */
export class BundleFailed extends Schema.TaggedError<BundleFailed>()("BundleFailed", {
  message: Schema.String,
  cause: Schema.Defect(),
}) {}

export interface Bundle {
  readonly root: string
  /** How long the build took; undefined if what was there is current. */
  readonly builtInMs: number | undefined
}

type Needs = FileSystem.FileSystem | Path.Path | ChildProcessSpawner.ChildProcessSpawner

const stampName = "sources.sha256"

/** Everything that the bundle is made from, relative to this package. Packages from npm are named by package.json. */
const sources = [
  "src/web",
  "src/api",
  "vite.config.ts",
  "package.json",
  "../domain/src/Tiers.ts",
  "../domain/src/Lifecycle.ts",
]

const locate = Effect.gen(function* () {
  const path = yield* Path.Path
  const home = path.resolve(import.meta.dirname, "../..")
  return { path, home, dist: path.join(home, "dist"), root: path.join(home, "dist", "web") }
})

/** One digest over names and contents, the same on every machine. */
const digestOf = Effect.fn("WebBundle.digest")(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const files = yield* Effect.forEach(sources, (source) =>
    Effect.gen(function* () {
      const at = path.join(home, source)
      if ((yield* fs.stat(at)).type !== "Directory") return [source]
      const inside = yield* fs.readDirectory(at, { recursive: true })
      return inside.map((name) => `${source}/${name.split(path.sep).join("/")}`)
    }),
  )
  const hash = createHash("sha256")
  for (const file of files.flat().sort()) {
    const at = path.join(home, file)
    if ((yield* fs.stat(at)).type === "Directory") continue
    hash
      .update(`${file}\0`)
      .update(yield* fs.readFile(at))
      .update("\0")
  }
  return hash.digest("hex")
})

/** A process of its own: its memory goes with it, and no NODE_ENV of ours turns the build into one for development. */
const viteBuild = Effect.fn("WebBundle.vite")(function* (home: string, outDir: string, isQuiet: boolean) {
  const path = yield* Path.Path
  const vite = yield* Effect.try({
    try: () => path.join(fileURLToPath(import.meta.resolve("vite/package.json")), "..", "bin", "vite.js"),
    catch: (cause) =>
      new BundleFailed({ message: "The pages are not built and Vite is not installed: run npm ci.", cause }),
  })
  const args = ["build", "--config", path.join(home, "vite.config.ts"), "--outDir", outDir, "--mode", "production"]
  const child = yield* ChildProcess.make(process.execPath, [vite, ...args, "--logLevel", isQuiet ? "error" : "info"], {
    env: { NODE_ENV: "production", ...(isQuiet ? { NO_COLOR: "1" } : {}) },
    extendEnv: true,
    stdin: "ignore",
    stdout: isQuiet ? "ignore" : "inherit",
  })
  const complaint = (yield* Stream.mkString(Stream.decodeText(child.stderr))).trim()
  const code = yield* child.exitCode
  if (code === 0) return
  if (!isQuiet) yield* Console.error(complaint)
  const message = `The pages could not be built; npm run build:web shows why: ${complaint.replace(/\s+/g, " ").slice(0, 200)}`
  return yield* new BundleFailed({ message, cause: { code, complaint } })
})

/** Builds the pages, whatever is there. */
export const build: (options: {
  readonly isQuiet: boolean
}) => Effect.Effect<Bundle, BundleFailed | PlatformError, Needs> = Effect.fn("WebBundle.build")(function* ({
  isQuiet,
}) {
  const fs = yield* FileSystem.FileSystem
  const { path, home, dist, root } = yield* locate
  const begun = yield* Clock.currentTimeMillis
  const digest = yield* digestOf(home)
  yield* fs.makeDirectory(dist, { recursive: true })
  // Two processes may build at once: each in a folder of its own, and the last one's stays.
  const fresh = yield* fs.makeTempDirectoryScoped({ directory: dist, prefix: "web-" })
  const made = path.join(fresh, "new")
  yield* viteBuild(home, made, isQuiet)
  yield* fs.writeFileString(path.join(made, stampName), `${digest}\n`)
  const old = path.join(fresh, "old")
  // Another process may put its build there between the two steps; then ours replaces that one.
  yield* fs
    .remove(old, { recursive: true, force: true })
    .pipe(
      Effect.andThen(Effect.ignore(fs.rename(root, old))),
      Effect.andThen(fs.rename(made, root)),
      Effect.retry({ times: 5 }),
    )
  return { root, builtInMs: (yield* Clock.currentTimeMillis) - begun }
}, Effect.scoped)

/** The bundle of today's sources, built if it is missing or stale. */
export const ensure: Effect.Effect<Bundle, BundleFailed | PlatformError, Needs> = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { path, home, root } = yield* locate
  const stamp = yield* Effect.option(fs.readFileString(path.join(root, stampName)))
  const isCurrent = Option.isSome(stamp) && stamp.value.trim() === (yield* digestOf(home))
  return isCurrent ? { root, builtInMs: undefined } : yield* build({ isQuiet: true })
}).pipe(Effect.withSpan("WebBundle.ensure"))
