/**
 * `npm run test:k8s`: builds the cluster's programs if need be, runs the tests of one tier after the other, and leaves
 * nothing behind, however it ends. One line says what a machine lacks.
 */
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { parseArguments } from "../Arguments.ts"
import { binaries } from "../Binaries.ts"
import { abandoned } from "../Folder.ts"
import { merge, type Report } from "../Report.ts"
import { missing } from "../Requirements.ts"
import { sweep } from "../TakeDown.ts"

const help = `usage: npm run test:k8s -- [--tier k8s|node] [--report FILE] [--json] [FILE…] [-t NAME]

Runs the operator's tests on a real Kubernetes of this machine.
  --tier TIER    k8s: apiserver, controllers and fake nodes; node: a real node, as root. Both, if none is named
  --report FILE  writes vitest's JSON report of all that ran there
  --json         the last line is a JSON document
  -t NAME        only tests whose name contains this
  FILE           only test files whose path contains this`

const { bad, files, help: asked, json, name, report, tiers } = parseArguments(process.argv.slice(2))
if (asked || bad !== undefined) {
  console.log(bad === undefined ? help : `Unknown: ${bad}\n\n${help}`)
  process.exit(bad === undefined ? 0 : 2)
}

const begun = performance.now()
const seconds = () => Math.round((performance.now() - begun) / 1_000)
const say = (line: string) => console.error(line)
const root = join(import.meta.dirname, "../../../../..")

for (const tier of tiers) {
  const lacking = missing(tier)
  if (lacking !== undefined) {
    say(lacking)
    process.exit(1)
  }
}

/** A signal is handed on; this process stays until the child has ended, to see that nothing is left. */
let interrupted = false
const building = new AbortController()
let child: ReturnType<typeof spawn> | undefined
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    interrupted = true
    building.abort()
    child?.kill(signal)
  })

const killGroup = (leader: number | undefined) => {
  try {
    if (leader !== undefined) process.kill(-leader, "SIGKILL")
  } catch {
    // All of it has ended.
  }
}

const vitest = (args: ReadonlyArray<string>) =>
  new Promise<number>((resolve) => {
    const started = spawn(
      process.execPath,
      [
        join(root, "node_modules/vitest/vitest.mjs"),
        "run",
        "--config",
        "packages/operator/test/cluster/vitest.config.ts",
        ...args,
      ],
      // In a group of its own, so that its workers can be ended with it.
      { cwd: root, stdio: ["ignore", "inherit", "inherit"], detached: true },
    )
    child = started
    started.on("close", (status) => {
      killGroup(started.pid)
      // The killed are counted as alive for a moment.
      setTimeout(() => resolve(status ?? 1), 200)
    })
  })

const swept = sweep()
if (swept > 0) say(`took down ${swept} ${swept === 1 ? "cluster" : "clusters"} that a killed run had left`)
const built = await Effect.runPromiseExit(binaries(say), { signal: building.signal })
if (Exit.isFailure(built)) {
  const error = Cause.squash(built.cause)
  say(interrupted ? "interrupted" : error instanceof Error ? error.message : String(error))
  process.exit(interrupted ? 130 : 1)
}

const reports = mkdtempSync(join(tmpdir(), "berth-reports-"))
const found: Array<Report> = []
let ok = true
for (const tier of tiers) {
  if (interrupted) break
  say(`== ${tier}`)
  const file = join(reports, `${tier}.json`)
  const status = await vitest([
    "--project",
    tier,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
    ...(files.length === 0 ? [] : ["--passWithNoTests"]),
    ...(name === undefined ? [] : ["-t", name]),
    ...files,
  ])
  ok &&= status === 0
  try {
    found.push(JSON.parse(readFileSync(file, "utf8")) as Report)
  } catch {
    // No file of this tier was asked for, or it ended before any test; its status says which.
  }
}
rmSync(reports, { recursive: true, force: true })
sweep()
const remains = abandoned().length

const total = merge(found)
if (total.numTotalTests === 0) ok = false
if (report !== undefined) {
  mkdirSync(dirname(report), { recursive: true })
  writeFileSync(report, JSON.stringify(total))
}
const outcome = {
  ok: ok && !interrupted,
  passed: total.numPassedTests,
  failed: total.numFailedTests,
  seconds: seconds(),
  leftRunning: remains,
}
console.log(
  json
    ? JSON.stringify(outcome)
    : `test:k8s (${tiers.join(" and ")}): ${outcome.passed} of ${outcome.passed + outcome.failed} tests passed in ${outcome.seconds} s${
        interrupted ? ", interrupted" : ""
      }; ${remains === 0 ? "nothing is left running" : `${remains} clusters could not be taken down`}`,
)
process.exit(interrupted ? 130 : ok ? 0 : 1)
