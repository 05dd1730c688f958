/**
 * Each cluster lives in a folder of its own that is named after the process it belongs to. One whose process is gone was
 * left behind by a run that was killed; whoever starts next takes it down.
 */
import { mkdirSync, readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { livingPid, ownName } from "@berth/domain/live/EmbeddedPostgres/Processes"

/** Short, because sockets live below it and their paths may be no longer than 107 characters. */
export const base = () => join(tmpdir(), `berth-cluster-${process.getuid?.() ?? 0}`)

/** A cluster that outlives the command that started it has a name of its own. */
export const keptFolder = (tier: string) => join(base(), `kept-${tier}`)

let count = 0

/** A new empty folder of this process. */
export const openFolder = (): string => {
  const folder = join(base(), `${ownName()}-${++count}`)
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  return folder
}

/** Folders whose process is gone. */
export const abandoned = (): ReadonlyArray<string> => {
  const names = () => {
    try {
      return readdirSync(base())
    } catch {
      return []
    }
  }
  return names()
    .filter((name) => /^\d+-\d+-\d+$/.test(name) && livingPid(name) === undefined)
    .map((name) => join(base(), name))
}
