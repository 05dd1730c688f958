/** `npm run check`: types, lint, format and house rules, at the same time. Prints one line each, and all output of what failed. */
import { spawn } from "node:child_process"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const bin = (name: string) => join(root, "node_modules", ".bin", name)

const steps: ReadonlyArray<readonly [name: string, command: string, args: ReadonlyArray<string>]> = [
  ["types", bin("tsc"), ["-p", "tsconfig.json"]],
  ["types of the web pages", bin("tsc"), ["-p", "packages/control/src/web/tsconfig.json"]],
  ["lint", bin("oxlint"), ["--deny-warnings"]],
  ["format (npm run fmt writes it)", bin("oxfmt"), ["--check"]],
  ["rules", process.execPath, ["scripts/rules.ts"]],
]

const run = (command: string, args: ReadonlyArray<string>) =>
  new Promise<{ ok: boolean; output: string; seconds: string }>((resolve) => {
    const begun = performance.now()
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    const keep = (chunk: Buffer) => (output += chunk.toString())
    child.stdout.on("data", keep)
    child.stderr.on("data", keep)
    const done = (ok: boolean) => resolve({ ok, output, seconds: ((performance.now() - begun) / 1000).toFixed(1) })
    child.on("error", (error) => {
      output += `${error.message}\n`
      done(false)
    })
    child.on("close", (code) => done(code === 0))
  })

if (process.argv.includes("--help")) {
  console.log(`usage: npm run check\n\nRuns ${steps.map(([name]) => name).join(", ")}; exits 1 if any of them fails.`)
  process.exit(0)
}

const results = await Promise.all(
  steps.map(async ([name, command, args]) => {
    const { ok, output, seconds } = await run(command, args)
    if (!ok) console.log(output.trimEnd())
    console.log(`${ok ? "ok    " : "FAILED"} ${name} (${seconds} s)`)
    return ok
  }),
)
process.exit(results.every(Boolean) ? 0 : 1)
