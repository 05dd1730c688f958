/** A command inside one of the test cluster's network namespaces. */
import { spawnSync } from "node:child_process"
import type * as Effect from "effect/Effect"
import { attempt, type ClusterFailed } from "../cluster/Failure.ts"
import { networkFile } from "../cluster/node/Addresses.ts"

export const inNetwork = (network: string, command: ReadonlyArray<string>): Effect.Effect<string, ClusterFailed> =>
  attempt(command.join(" "), () => {
    const { error, status, stderr, stdout } = spawnSync(
      "nsenter",
      [`--net=${networkFile(network)}`, "--", ...command],
      { encoding: "utf8" },
    )
    if (status !== 0) throw error ?? new Error(stderr.trim() || `ended with ${status}`)
    return stdout
  })
