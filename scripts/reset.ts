/**
 * `npm run reset`: deletes everything this checkout keeps, `.berth/` and the folders named in it. It refuses while a Berth
 * or its tests run, and stops a Postgres that a kill -9 left behind.
 */
import { existsSync, globSync, readFileSync, rmSync } from "node:fs"
import { basename, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { erase, inspect } from "../packages/domain/src/live/EmbeddedPostgres.ts"
import { isAlive, livingPid } from "../packages/domain/src/live/EmbeddedPostgres/Processes.ts"
import { closeRunNow } from "../packages/domain/src/testing/TestFolder.ts"
import { removeDeadCopies } from "./mutants/copy.ts"

const help = `usage: npm run reset -- [--json] [folder]

Deletes the folder (.berth) with the embedded Postgres, its data and all else that Berth keeps in this checkout.
Refuses while a Berth runs. --json prints {"ok", "message", "removed", "running"}.`

const args = process.argv.slice(2)
const json = args.includes("--json")
const unknown = args.find((arg) => arg.startsWith("-") && !["--json", "--help"].includes(arg))
if (args.includes("--help") || unknown !== undefined) {
  console.log(unknown === undefined ? help : `Unknown option ${unknown}\n\n${help}`)
  process.exit(unknown === undefined ? 0 : 2)
}

const end = (
  ok: boolean,
  message: string,
  more: { removed?: ReadonlyArray<string>; running?: ReadonlyArray<number> } = {},
) => {
  console.log(
    json ? JSON.stringify({ ok, message, removed: more.removed ?? [], running: more.running ?? [] }) : message,
  )
  process.exit(ok ? 0 : 1)
}

const folder = resolve(args.find((arg) => !arg.startsWith("-")) ?? join(import.meta.dirname, "..", ".berth"))
const postgres = { folder: join(folder, "postgres") }

const reset = Effect.gen(function* () {
  const { home, users } = yield* inspect(postgres)
  const runs = globSync("test/*", { cwd: folder }).map((path) => basename(path))
  const mutants = globSync("mutants/*", { cwd: folder }).map((path) => basename(path))
  const named = globSync("{*,run/*}.pid", { cwd: folder }).map((file) =>
    Number(readFileSync(join(folder, file), "utf8")),
  )
  const testing = [...runs, ...mutants].flatMap((name) => livingPid(name) ?? [])
  const running = [...new Set([...users, ...testing, ...named.filter(isAlive)])].sort((a, b) => a - b)
  if (running.length > 0) {
    const [what, it] = running.length === 1 ? ["process", "it"] : ["processes", "them"]
    return end(false, `A Berth runs in ${folder} (${what} ${running.join(", ")}): stop ${it} first`, { running })
  }
  yield* Effect.try(() => {
    for (const run of runs) closeRunNow(join(folder, "test", run))
    removeDeadCopies(folder)
  })
  yield* erase(postgres)
  yield* Effect.try(() => rmSync(folder, { recursive: true, force: true }))
  const removed = home === undefined || home === postgres.folder ? [folder] : [folder, home]
  return end(true, `Removed ${removed.join(" and ")}`, { removed })
})

/** What is refused here is not ours to delete, e.g. data made by root. */
const explain = (cause: unknown) => {
  const error = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  return `Cannot reset ${folder}: ${error instanceof Error ? error.message : String(error)}`
}

// A mistyped folder must not cost anyone their home.
if (!existsSync(folder)) end(true, `Nothing to remove: ${folder} does not exist`)
if (basename(folder) !== ".berth") end(false, `${folder} is not called .berth: remove it by hand if you mean it`)
const result = await Effect.runPromise(Effect.result(reset))
if (Result.isFailure(result)) end(false, explain(result.failure))
