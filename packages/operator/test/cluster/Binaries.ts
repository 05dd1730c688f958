/**
 * The programs of the cluster, built from Go modules into `berth/k8s/<key>` of the user's cache: the first time takes 6 to 8
 * minutes on two cores, later ones nothing. Two that build at once wait for each other.
 */
import { spawn, spawnSync } from "node:child_process"
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { attempt, ClusterFailed } from "./Failure.ts"
import { keyOf } from "./Key.ts"
import { locked } from "./Lock.ts"

export interface Binaries {
  /** Where they all stand. */
  readonly folder: string
  /** All components; the first argument names one. */
  readonly hyper: string
  /** Static, for an image. */
  readonly coredns: string
  /** Static, for an image. */
  readonly pause: string
}

/** What kubectl and the apiserver say they are. */
export const kubernetesVersion = "v1.36.3"

const sources = join(import.meta.dirname, "hyper")
const version = "k8s.io/component-base/version"
const [, minor = ""] = kubernetesVersion.split(".")
const stamps = Object.entries({
  gitVersion: kubernetesVersion,
  gitMajor: "1",
  gitMinor: minor,
  gitTreeState: "clean",
}).map(([name, value]) => `-X ${version}.${name}=${value}`)

const environment = { CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false", GOWORK: "off" }
const targets = [
  ["pause", "./pause"],
  ["coredns", "./coredns"],
  ["hyper", "."],
] as const
const build = (output: string, target: string) => [
  "build",
  "-trimpath",
  "-ldflags",
  ["-s -w", ...stamps].join(" "),
  "-o",
  output,
  target,
]

/** Where what is built and fetched for the cluster is kept between runs. */
export const cacheFolder = () => join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "berth", "k8s")

const compiler = () =>
  attempt("go", () => {
    const { error, status, stderr, stdout } = spawnSync("go", ["env", "GOVERSION", "GOARCH"], {
      encoding: "utf8",
      cwd: sources,
    })
    // An older Go says so here.
    if (status !== 0) throw error ?? new Error(stderr.trim())
    return stdout.trim().split("\n").join(" ")
  })

const key = Effect.map(compiler(), (compiler) =>
  keyOf({
    compiler,
    command: [...Object.entries(environment).flat(), ...targets.flatMap(([name, target]) => build(name, target))],
    sources: globSync("{*,*/*}.{go,mod,sum}", { cwd: sources }).map(
      (path) => [path, readFileSync(join(sources, path), "utf8")] as const,
    ),
  }),
)

/** One call of the compiler; ends it if nobody waits any more. */
const go = (args: ReadonlyArray<string>): Effect.Effect<void, ClusterFailed> =>
  Effect.callback((resume) => {
    const child = spawn("go", args, {
      cwd: sources,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "ignore", "pipe"],
    })
    let told = ""
    child.stderr.on("data", (chunk: Buffer) => (told = (told + chunk.toString()).slice(-4_000)))
    child.on("error", (error) => resume(Effect.fail(new ClusterFailed({ message: `go: ${error.message}` }))))
    child.on("close", (status) => {
      resume(status === 0 ? Effect.void : Effect.fail(new ClusterFailed({ message: `go ${args[0]} failed: ${told}` })))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const minute = 60_000
const unusedFor = 30 * 24 * 60 * minute

/** Builds of earlier sources that nobody asked for in a month. */
const forget = (cache: string) => {
  for (const name of readdirSync(cache)) {
    const folder = join(cache, name)
    if (/^[0-9a-f]{16}$/.test(name) && Date.now() - statSync(folder).mtimeMs > unusedFor)
      rmSync(folder, { recursive: true, force: true })
  }
}

/** The programs, built first if need be. `say` gets a line at the begin, every half minute, and at the end. */
export const binaries = Effect.fn("Binaries.binaries")(function* (say: (line: string) => void) {
  const cache = cacheFolder()
  const folder = join(cache, yield* key)
  const found: Binaries = {
    folder,
    hyper: join(folder, "hyper"),
    coredns: join(folder, "coredns"),
    pause: join(folder, "pause"),
  }
  const there = () => targets.every(([name]) => existsSync(join(folder, name)))
  if (!there()) {
    yield* attempt(cache, () => mkdirSync(cache, { recursive: true }))
    yield* Effect.gen(function* () {
      yield* locked(join(cache, "build.lock"), "another process builds Kubernetes; this one waits for it", say)
      if (there()) return
      const begun = performance.now()
      const seconds = () => Math.round((performance.now() - begun) / 1_000)
      say(`builds Kubernetes ${kubernetesVersion} once (6 to 8 minutes on two cores) into ${folder}`)
      const draft = yield* Effect.acquireRelease(
        attempt(cache, () => mkdtempSync(join(cache, "draft-"))),
        (draft) => Effect.sync(() => rmSync(draft, { recursive: true, force: true })),
      )
      const telling = setInterval(() => say(`  still building after ${seconds()} s`), minute / 2)
      yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(telling)))
      for (const [name, target] of targets) yield* go(build(join(draft, name), target))
      yield* attempt(folder, () => {
        rmSync(folder, { recursive: true, force: true })
        renameSync(draft, folder)
      })
      say(`built in ${seconds()} s`)
    }).pipe(Effect.scoped)
  }
  yield* attempt(folder, () => {
    utimesSync(folder, new Date(), new Date())
    forget(cache)
  })
  return found
})
