/**
 * `npm run e2e:cluster`: the life of a sold agent on a real Kubernetes node, told step by step with times: a visitor's first
 * words, a real OpenClaw in a namespace that the operator made, metered by the token-proxy, through everything that can
 * befall it. Needs root; what a machine lacks is said in one line.
 */
import { Console as NodeConsole } from "node:console"
import { runMain } from "@berth/domain/Launch"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as References from "effect/References"
import { missing } from "../packages/operator/test/cluster/Requirements.ts"
import { openFolder } from "../packages/operator/test/cluster/Folder.ts"
import { RealNode, startNodeIn } from "../packages/operator/test/cluster/RealNode.ts"
import { sweep, takeDown } from "../packages/operator/test/cluster/TakeDown.ts"
import { acts, sold } from "./e2e-cluster/Acts.ts"
import { startLines } from "./e2e-cluster/Starts.ts"
import { lines, moments, partLines, parts } from "./e2e-cluster/Timeline.ts"
import { open } from "./e2e-cluster/World.ts"

const help = `usage: npm run e2e:cluster -- [--only ACT] [--list] [--json]

Sells an agent on a real Kubernetes node and tells what becomes of it, a line a step with its time.
  --only ACT  after the first act, only those whose name contains this (may be repeated)
  --list      the acts, without running
  --json      all times as JSON on stdout, once all is told; the lines go to stderr`

const args = process.argv.slice(2)
const only = args.flatMap((arg, i) =>
  args[i - 1] === "--only" ? [arg] : arg.startsWith("--only=") ? [arg.slice(7)] : [],
)
const bad =
  args.find((arg, i) => !/^--(?:only|only=.+|list|json|help)$/.test(arg) && args[i - 1] !== "--only") ??
  only.find((part) => !acts.some(({ name }) => name.includes(part)))
if (args.includes("--help") || bad !== undefined) {
  console.log(bad === undefined ? help : `Unknown: ${bad}\n\n${help}`)
  process.exit(bad === undefined ? 0 : 2)
}
// What is told first is what later acts ask for.
const chosen = acts.filter(
  ({ name }, index) => only.length === 0 || index === 0 || only.some((part) => name.includes(part)),
)
if (args.includes("--list")) {
  console.log(chosen.map(({ name, title }) => `${name}: ${title}`).join("\n"))
  process.exit(0)
}

const lacking = missing("node")
if (lacking !== undefined) {
  console.error(lacking)
  process.exit(1)
}

const say = (line: string) => console.error(`  … ${line}`)
const json = args.includes("--json")
const took: Array<{ readonly step: string; readonly millis: number }> = []
const timed = <A, E, R>(title: string, effect: Effect.Effect<A, E, R>, detail: (result: A) => string) =>
  Effect.gen(function* () {
    const begun = performance.now()
    const result = yield* effect
    const millis = Math.round(performance.now() - begun)
    took.push({ step: title, millis })
    yield* Console.log(
      `✓ ${String(millis).padStart(6)} ms  ${title}${detail(result) === "" ? "" : `: ${detail(result)}`}`,
    )
    return result
  })

sweep()
const folder = openFolder()
// A signal ends the process without a teardown, but not without this.
process.once("exit", () => takeDown(folder))

runMain(
  Effect.gen(function* () {
    const node = yield* timed("A Kubernetes node starts", startNodeIn(folder, say), () => "")
    // Before the lock is let go: whoever waits for it makes the same links and folders.
    yield* Effect.addFinalizer(() => Effect.sync(() => takeDown(folder)))
    const world = yield* timed(
      "Berth starts on it and beside it",
      Effect.provideService(open(say), RealNode, node),
      ({ importMillis }) => `images were read in within ${importMillis} ms, as a node that pulled them before has them`,
    )
    const { begun, customer, pulls, seen } = yield* sold(world, "story_bot")
    const waited = parts(seen, begun)
    yield* Console.log(
      [
        "  From the payment to the first reply:",
        ...lines(seen, begun),
        "  In parts, and what makes them short:",
        ...partLines(waited),
        "  Where its image came from:",
        ...pulls.map((message) => `    ${message}`),
      ].join("\n"),
    )
    for (const { play, title } of chosen) yield* timed(title, play(world, customer), (detail) => detail)
    yield* Console.log(
      ["  From its container's start to Ready, as far as Node had compiled:", ...startLines(customer.starts)].join(
        "\n",
      ),
    )
    if (!json) return
    const sinceJob = Object.fromEntries(moments.map((moment) => [moment, (seen[moment] ?? NaN) - begun]))
    const { importMillis } = world
    console.log(JSON.stringify({ steps: took, sinceJob, parts: waited, pulls, importMillis, starts: customer.starts }))
  }).pipe(
    Effect.scoped,
    Effect.provideService(References.MinimumLogLevel, "None"),
    json ? Effect.provideService(Console.Console, new NodeConsole(process.stderr)) : identity,
  ),
)
