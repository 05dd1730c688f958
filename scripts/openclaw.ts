/**
 * `npm run e2e:openclaw`: what the user of a real OpenClaw sees of each thing that can go wrong, through a real proxy. Prints
 * a table and fails if a row is not as expected. What it finds stands in docs/errors.md.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { runMain } from "@berth/domain/Launch"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { install, version } from "./openclaw/Install.ts"
import * as Report from "./openclaw/Report.ts"
import { type Outcome, play } from "./openclaw/Row.ts"
import { rows } from "./openclaw/Rows.ts"
import * as Stage from "./openclaw/Stage.ts"

const help = `usage: npm run e2e:openclaw -- [--only ROW] [--list] [--json] [--keep FOLDER]

Runs OpenClaw ${version} against the token-proxy and a stub upstream, one row after another.
  --only ROW     rows whose name contains this (may be repeated)
  --list         the names, without running
  --json         one JSON document instead of the table
  --keep FOLDER  write down every request there, as it came`

const args = process.argv.slice(2)
const valued = ["only", "keep"]
const valuesOf = (name: string) =>
  args.flatMap((arg, i) =>
    args[i - 1] === `--${name}` ? [arg] : arg.startsWith(`--${name}=`) ? [arg.slice(name.length + 3)] : [],
  )
const only = valuesOf("only")
const keep = valuesOf("keep").at(-1)
const json = args.includes("--json")
const chosen = only.length === 0 ? rows : rows.filter(({ name }) => only.some((part) => name.includes(part)))
const bad =
  args.find(
    (arg, i) =>
      !/^--(?:only|only=.+|keep|keep=.+|list|json|help)$/.test(arg) && !valued.includes((args[i - 1] ?? "").slice(2)),
  ) ?? only.find((part) => !rows.some(({ name }) => name.includes(part)))
if (args.includes("--help") || bad !== undefined) {
  console.log(bad === undefined ? help : `Unknown: ${bad}\n\n${help}`)
  process.exit(bad === undefined ? 0 : 2)
}
if (args.includes("--list")) {
  console.log(chosen.map(({ name }) => name).join("\n"))
  process.exit(0)
}

const say = (line: string) => console.error(line)

const program = Effect.gen(function* () {
  yield* Effect.promise(() => install(say))
  const stage = yield* Stage.open({ say })
  if (!json) yield* Console.log(Report.headings)
  const outcomes: Array<Outcome> = []
  for (const row of chosen) {
    if (json) say(row.name)
    const outcome = yield* play(stage, row)
    outcomes.push(outcome)
    if (!json) yield* Console.log([Report.line(outcome), ...Report.problemLines(outcome)].join("\n"))
  }
  if (keep !== undefined) {
    mkdirSync(keep, { recursive: true })
    for (const [index, { body, headers, ...exchange }] of stage.relay.exchanges.entries()) {
      const name = join(keep, String(index).padStart(4, "0"))
      writeFileSync(`${name}.json`, JSON.stringify({ headers, ...exchange }, undefined, 2))
      writeFileSync(`${name}.body.json`, body)
    }
  }
  const peakMiB = stage.peakMiB()
  const failed = outcomes.filter(({ problems }) => problems.length > 0).length
  if (json) yield* Console.log(JSON.stringify({ openclaw: version, peakMiB, outcomes }, undefined, 2))
  else
    yield* Console.log(
      `\n${outcomes.length - failed} of ${outcomes.length} rows as expected; OpenClaw ${version} took ${peakMiB} MiB at most`,
    )
  return failed
  // The table is all that is printed: that Redis is away is what some rows are about.
}).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))

runMain(
  Effect.map(Effect.orDie(program), (failed) => {
    process.exitCode = failed === 0 ? 0 : 1
  }),
)
