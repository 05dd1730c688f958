/** Takes clusters down, whatever state they are in. Blocks the thread, so that it works while a process exits. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Components from "./Components.ts"
import { attempt, ClusterFailed } from "./Failure.ts"
import { abandoned, keptFolder } from "./Folder.ts"
import { runtimeFolder } from "./node/Addresses.ts"
import { removeNode } from "./node/Remains.ts"

/** Says which folder the machine's one node belongs to. */
const ownerFile = join(runtimeFolder, "folder")

const owner = (): string | undefined => {
  try {
    return readFileSync(ownerFile, "utf8")
  } catch {
    return undefined
  }
}

/** What runs from this folder, what a node of it left on the machine, and the folder. */
export const takeDown = (folder: string): void => {
  Components.killAll(folder)
  if (owner() === folder) removeNode(folder)
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** What runs of the tests that were killed have left behind; gives how many clusters that were. */
export const sweep = (): number => {
  const folders = abandoned()
  for (const folder of folders) takeDown(folder)
  return folders.length
}

/** Makes way for a new node in `folder`, whose caller holds the lock: whatever node there is was left behind. */
export const clearNode = (folder: string): Effect.Effect<void, ClusterFailed> =>
  Effect.gen(function* () {
    const other = owner()
    if (other === keptFolder("node"))
      return yield* new ClusterFailed({
        message: "A node is kept on this machine: take it down by `npm run cluster -- down --tier node`.",
      })
    yield* attempt("an earlier node", () => {
      if (other !== undefined) takeDown(other)
      mkdirSync(runtimeFolder, { recursive: true })
      writeFileSync(ownerFile, folder)
    })
  })
