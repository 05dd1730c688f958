/** `npm run cluster`: a cluster to look at. It stays until it is told to go. */
import { existsSync, mkdirSync } from "node:fs"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { parseArguments } from "../Arguments.ts"
import * as Components from "../Components.ts"
import { startIn } from "../ControlPlane.ts"
import { kubeconfigOf } from "../ControlPlaneComponents.ts"
import type { ClusterFailed } from "../Failure.ts"
import { keptFolder } from "../Folder.ts"
import { readFacts } from "../Handle.ts"
import { startNodeIn } from "../RealNode.ts"
import type { Tier } from "../Requirements.ts"
import { takeDown } from "../TakeDown.ts"

const help = `usage: npm run cluster -- up|down|status [--tier k8s|node]

  up      starts it, and prints how a shell reaches it: eval "$(npm run -s cluster -- up)"
  down    takes it down
  status  which of its components run
  --tier  k8s: apiserver, controllers and fake nodes (the default of up); node: a real node, as root. down and status are
          about both, if none is named`

const { bad, files: words, help: asked, tiers } = parseArguments(process.argv.slice(2))
const [word = "", ...more] = words
const wrong = bad ?? more[0] ?? (["up", "down", "status"].includes(word) ? undefined : word)
if (asked || wrong !== undefined) {
  console.log(asked ? help : `Unknown: ${wrong}\n\n${help}`)
  process.exit(asked ? 0 : 2)
}

const say = (line: string) => console.error(line)
/** For a shell: `eval "$(npm run -s cluster -- up)"`. */
const reach = (folder: string) =>
  `export KUBECONFIG=${kubeconfigOf(folder, "admin")}; alias kubectl='${readFacts(folder).hyper} kubectl'`

const up = async (tier: Tier) => {
  const folder = keptFolder(tier)
  if (Components.pidOf(folder, "kube-apiserver") !== undefined) {
    say(`the ${tier} tier is up already`)
    console.log(reach(folder))
    return
  }
  // What there is of it has not outlived a reboot.
  takeDown(folder)
  mkdirSync(folder, { recursive: true })
  const begun = performance.now()
  const starting: Effect.Effect<unknown, ClusterFailed, Scope.Scope> =
    tier === "node" ? startNodeIn(folder, say) : startIn(folder, {}, say)
  const stopped = () => process.exit(130)
  const down = () => takeDown(folder)
  process.once("exit", down)
  process.once("SIGINT", stopped)
  process.once("SIGTERM", stopped)
  const exit = await Effect.runPromiseExit(Effect.scoped(starting))
  if (Exit.isFailure(exit)) {
    const error = Cause.squash(exit.cause)
    say(error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
  process.off("exit", down)
  say(`up after ${((performance.now() - begun) / 1_000).toFixed(1)} s`)
  console.log(reach(folder))
  process.exit(0)
}

const down = (tier: Tier) => {
  const folder = keptFolder(tier)
  const there = existsSync(folder)
  takeDown(folder)
  say(`${tier}: ${there ? "taken down" : "was not up"}`)
}

const status = (tier: Tier) => {
  const folder = keptFolder(tier)
  if (!existsSync(folder)) return console.log(`${tier}: down`)
  console.log(`${tier}: up\n  ${reach(folder)}`)
  for (const name of Components.names(folder)) {
    const pid = Components.pidOf(folder, name)
    console.log(`  ${name.padEnd(24)} ${pid === undefined ? "does not run" : `runs as ${pid}`}`)
  }
}

const named = process.argv.slice(2).some((arg) => arg.startsWith("--tier"))
if (word === "up") await up(named ? (tiers[0] ?? "k8s") : "k8s")
else for (const tier of tiers) (word === "down" ? down : status)(tier)
