/** `npm run chaos`: kills everything that meters, at random and under load, and checks afterwards that nothing was billed wrong. */
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { type Report, run } from "./chaos/Run.ts"

const help = `usage: npm run chaos -- [--seconds N] [--seed N] [--aof everysec|always] [--patient] [--json]

Two token-proxies, two recorders, a Redis with an append-only file and a Postgres, killed with -9 at random while six
customers call. Afterwards the ledger is held against what the upstream counted by itself, call by call.
  --seconds N   how long (30)
  --seed N      same seed, same calls and kills, as far as the machine's timing allows (a random one)
  --aof POLICY  everysec: Redis syncs its file once a second, and now and then loses power with what was not synced, or
                its whole disk; always: it syncs before it answers (everysec)
  --patient     waits two minutes for holds of dead proxies to run out, instead of making them
  --json        one JSON document instead of a table`

const args = process.argv.slice(2)
const valueOf = (name: string): string | undefined => {
  const at = args.indexOf(`--${name}`)
  return at === -1 ? args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) : args[at + 1]
}
const seconds = Number(valueOf("seconds") ?? 30)
const seed = Number(valueOf("seed") ?? Date.now() % 100_000)
const aof = valueOf("aof") ?? "everysec"
const wrong =
  !(seconds > 0) || !Number.isInteger(seed) || (aof !== "everysec" && aof !== "always")
    ? "a number or policy is wrong"
    : args.find(
        (arg, i) =>
          !/^--(?:seconds|seed|aof|patient|json|help)(?:=.+)?$/.test(arg) &&
          !/^--(?:seconds|seed|aof)$/.test(args[i - 1] ?? ""),
      )
if (args.includes("--help") || wrong !== undefined) {
  console.log(wrong === undefined ? help : `Cannot do that: ${wrong}\n\n${help}`)
  process.exit(wrong === undefined ? 0 : 2)
}
const json = args.includes("--json")

const table = ({ accounts, kills, cuts, restored, lostHolds, violations, calls }: Report): string => {
  const cell = (text: string | number, width = 10) => String(text).padStart(width)
  const row = (cells: ReadonlyArray<string | number>) => cells.map((text) => cell(text)).join("")
  const heads = ["served", "tokens", "charged", "tokens", "lost", "tokens", "estimated", "tokens"]
  const rows = accounts.map(({ customerId, served, charged, lost, estimated }) => {
    const numbers = [served, charged, lost, estimated].flatMap((one) => [one.calls, one.tokens])
    return `${customerId.padEnd(12)}${row(numbers)}`
  })
  const bytes = cuts.reduce((sum, { lostBytes }) => sum + lostBytes, 0)
  return [
    `${"".padEnd(12)}${row(heads)}`,
    ...rows,
    "",
    `${calls} calls; killed: ${Object.entries(kills)
      .map(([name, times]) => `${name} ${times}`)
      .join(", ")}`,
    `${cuts.length} power cuts of Redis (${cuts.filter(({ whole }) => whole).length} with its disk) lost ${bytes} bytes; ${restored} settlements told again; ${lostHolds} holds of dead proxies`,
    violations.length === 0 ? "nothing was billed wrong" : `WRONG:\n${violations.map((one) => `  ${one}`).join("\n")}`,
  ].join("\n")
}

const program = run({
  seconds,
  seed,
  durability: aof === "always" ? "always" : "everysec",
  patient: args.includes("--patient"),
  parent: join(import.meta.dirname, "../.berth/chaos"),
  say: (line) => (json ? undefined : console.log(line)),
}).pipe(
  Effect.tap((report) =>
    Effect.sync(() => {
      console.log(json ? JSON.stringify(report) : table(report))
      process.exitCode = report.violations.length === 0 ? 0 : 1
    }),
  ),
)

NodeRuntime.runMain(program, {
  teardown: (exit, onExit) => onExit(exit._tag === "Success" ? Number(process.exitCode ?? 0) : 2),
})
