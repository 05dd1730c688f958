/**
 * Starts the cluster of a tier before its tests and takes it down after them, also on a signal. What cannot be had ends the
 * command with one line and a non-zero exit, never with a skip.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { TestProject } from "vitest/node"
import { startIn } from "./ControlPlane.ts"
import type { ClusterFailed } from "./Failure.ts"
import { openFolder } from "./Folder.ts"
import { startNodeIn } from "./RealNode.ts"
import { sweep, takeDown } from "./TakeDown.ts"

const say = (line: string) => process.stderr.write(`${line}\n`)
const signals = ["SIGTERM", "SIGHUP", "SIGINT"] as const

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  sweep()
  const folder = openFolder()
  // A signal ends the process without a teardown, but not without this.
  const down = () => takeDown(folder)
  const onSignal = () => process.exit(130)
  process.once("exit", down)
  for (const name of signals) process.once(name, onSignal)

  const begun = performance.now()
  const scope = Scope.makeUnsafe()
  const starting: Effect.Effect<unknown, ClusterFailed, Scope.Scope> =
    project.name === "node" ? startNodeIn(folder, say) : startIn(folder, {}, say)
  const exit = await Effect.runPromiseExit(Scope.provide(starting, scope))
  if (Exit.isFailure(exit)) {
    const error = Cause.squash(exit.cause)
    say(error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
  say(`${project.name}: the cluster is up after ${((performance.now() - begun) / 1_000).toFixed(1)} s`)
  project.provide("clusterFolder", folder)
  return async () => {
    process.off("exit", down)
    for (const name of signals) process.off(name, onSignal)
    down()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
