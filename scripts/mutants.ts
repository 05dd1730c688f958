/**
 * `npm run mutants`: plants each fault of scripts/mutants/list.ts in a copy of the checkout, one at a time, and expects its
 * suites to fail. Fails if one stays green, if a fault no longer fits the code, or if a suite is red without any fault.
 */
import { spawn } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { ownName } from "../packages/domain/src/live/EmbeddedPostgres/Processes.ts"
import { copies, copyCheckout, removeDeadCopies } from "./mutants/copy.ts"
import { mutants } from "./mutants/list.ts"
import type { Mutant } from "./mutants/mutant.ts"

const help = `usage: npm run mutants -- [--only NAME] [--list] [--json]

Plants faults in a copy of the checkout and expects the named suites to notice each.
  --only NAME   this one (may be repeated)
  --list        names and what they break, without running
  --json        one JSON document instead of lines`

/** Killed: a test failed. Survived: all passed. Unfit: `find` is not there exactly once. Broken: no test ran, or a hang. */
type Verdict = "killed" | "survived" | "unfit" | "broken"

interface Result {
  readonly name: string
  readonly verdict: Verdict
  readonly seconds: number
  readonly note: string
}

const args = process.argv.slice(2)
const json = args.includes("--json")
const only = args.flatMap((arg, i) =>
  args[i - 1] === "--only" ? [arg] : arg.startsWith("--only=") ? [arg.slice(7)] : [],
)
const bad =
  args.find((arg, i) => !/^--(?:only|only=.+|list|json|help)$/.test(arg) && args[i - 1] !== "--only") ??
  only.find((name) => !mutants.some((mutant) => mutant.name === name))
if (args.includes("--help") || bad !== undefined) {
  console.log(bad === undefined ? help : `Unknown: ${bad}\n\n${help}`)
  process.exit(bad === undefined ? 0 : 2)
}
const chosen = only.length === 0 ? mutants : mutants.filter(({ name }) => only.includes(name))
if (args.includes("--list")) {
  console.log(json ? JSON.stringify(chosen) : chosen.map(({ fault, name }) => `${name}: ${fault}`).join("\n"))
  process.exit(0)
}

const root = join(import.meta.dirname, "..")
const berth = join(root, ".berth")
const copy = join(copies(berth), ownName())
const report = join(copy, ".berth", "report.json")
/** A fault may make a suite hang; that is no verdict. */
const patience = { suites: 180_000, cluster: 600_000 }

interface Suites {
  readonly passed: number
  readonly failed: number
  /** The first failing test, or what else went wrong. */
  readonly note: string
}

/** Tests that need a Kubernetes have a configuration of their own, which starts it. */
const needsCluster = (test: string) => /\.(?:k8s|node)\.test\.ts$/.test(test)
const clusterConfig = ["--config", "packages/operator/test/cluster/vitest.config.ts"]

const vitest = async (tests: ReadonlyArray<string>, stopEarly: boolean): Promise<Suites> => {
  const groups = [
    [tests.filter((test) => !needsCluster(test)), []],
    [tests.filter(needsCluster), clusterConfig],
  ] as const
  let all: Suites = { passed: 0, failed: 0, note: "" }
  for (const [group, config] of groups.filter(([group]) => group.length > 0)) {
    const millis = config.length > 0 ? patience.cluster : patience.suites
    const { failed, note, passed } = await runGroup([...config, ...group], stopEarly, millis)
    all = { passed: all.passed + passed, failed: all.failed + failed, note: all.note === "" ? note : all.note }
    if (all.note !== "") return all
  }
  return all
}

const runGroup = async (args: ReadonlyArray<string>, stopEarly: boolean, millis: number): Promise<Suites> => {
  rmSync(report, { force: true })
  const command = ["run", ...args, "--reporter=json", `--outputFile.json=${report}`, ...(stopEarly ? ["--bail=1"] : [])]
  const child = spawn(join(copy, "node_modules", ".bin", "vitest"), command, {
    cwd: copy,
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH ?? ""}` },
  })
  running = child
  let errors = ""
  child.stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2_000)))
  let hung = false
  const timer = setTimeout(() => {
    hung = true
    child.kill("SIGTERM")
  }, millis)
  await new Promise((resolve) => child.on("close", resolve))
  clearTimeout(timer)
  if (hung) return { passed: 0, failed: 0, note: `hung for ${millis / 1_000} s` }
  try {
    const { numFailedTests, numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8"))
    const files: ReadonlyArray<{
      message: string
      assertionResults: ReadonlyArray<{ status: string; fullName: string }>
    }> = testResults
    const first = files.flatMap((file) => file.assertionResults).find(({ status }) => status === "failed")?.fullName
    const unloaded = files.find(({ assertionResults }) => assertionResults.length === 0)?.message.split("\n")[0]
    return { passed: numPassedTests, failed: numFailedTests, note: first ?? unloaded ?? "" }
  } catch {
    return { passed: 0, failed: 0, note: errors.trim().split("\n").at(-1) ?? "no report" }
  }
}

const plant = async (mutant: Mutant): Promise<Omit<Result, "name" | "seconds">> => {
  const file = join(copy, mutant.file)
  let source: string
  try {
    source = readFileSync(file, "utf8")
  } catch {
    return { verdict: "unfit", note: `${mutant.file} is gone` }
  }
  const times = source.split(mutant.find).length - 1
  if (times !== 1) return { verdict: "unfit", note: `its text stands ${times} times in ${mutant.file}` }
  writeFileSync(
    file,
    source.replace(mutant.find, () => mutant.replace),
  )
  try {
    const { failed, note, passed } = await vitest(mutant.tests, true)
    if (failed > 0) return { verdict: "killed", note: `by "${note}"` }
    return passed > 0 && note === ""
      ? { verdict: "survived", note: `${passed} tests passed: ${mutant.fault}` }
      : { verdict: "broken", note: note === "" ? "no test ran" : note }
  } finally {
    writeFileSync(file, source)
  }
}

const timed = async <A>(work: () => Promise<A>): Promise<readonly [A, number]> => {
  const begun = performance.now()
  const result = await work()
  return [result, Number(((performance.now() - begun) / 1_000).toFixed(1))]
}

const say = (line: string) => {
  if (!json) console.log(line)
}

let running: ReturnType<typeof spawn> | undefined
process.once("exit", () => rmSync(copy, { recursive: true, force: true, maxRetries: 3 }))
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => {
    running?.once("close", () => process.exit(130))
    if (running?.exitCode !== null || !running.kill("SIGTERM")) process.exit(130)
  })
}

const main = async (): Promise<boolean> => {
  removeDeadCopies(berth)
  copyCheckout(root, copy)
  const suites = [...new Set(chosen.flatMap(({ tests }) => tests))]
  const [unmutated, seconds] = await timed(() => vitest(suites, false))
  const sound = unmutated.failed === 0 && unmutated.passed > 0 && unmutated.note === ""
  say(
    `${sound ? "green   " : "RED     "} without any fault (${unmutated.passed} tests, ${seconds} s) ${unmutated.note}`.trimEnd(),
  )
  const results: Array<Result> = []
  for (const mutant of sound ? chosen : []) {
    const [{ note, verdict }, took] = await timed(() => plant(mutant))
    results.push({ name: mutant.name, verdict, seconds: took, note })
    say(`${verdict === "killed" ? "killed  " : verdict.toUpperCase().padEnd(8)} ${mutant.name} (${took} s) ${note}`)
  }
  const killed = results.filter(({ verdict }) => verdict === "killed").length
  if (json) console.log(JSON.stringify({ sound, note: unmutated.note, results }))
  say(`${killed} of ${chosen.length} faults noticed`)
  return sound && killed === chosen.length
}

process.exit((await main()) ? 0 : 1)
