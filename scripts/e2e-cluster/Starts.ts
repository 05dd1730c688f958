/** What the compile cache on the volume is worth: the starts of one agent in one run, by what Node had compiled before each. */
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"

/** What stands in the compile cache. */
export interface Compiled {
  readonly files: number
  readonly bytes: number
}

export interface Start {
  /** What it was a start after. */
  readonly act: string
  /** Before the start. */
  readonly compiled: Compiled
  /** From when the container was seen to run until it was seen to be Ready. */
  readonly millis: number
  /** What it took of the processors meanwhile, which says more on a machine that has other things to do too. */
  readonly cpuMillis: number
}

/** What OpenClaw's Node keeps on a volume that is this folder; nothing if there is no such volume yet. */
export const compiledIn = (volume: string | undefined): Compiled => {
  if (volume === undefined) return { files: 0, bytes: 0 }
  try {
    const files = readdirSync(join(volume, "compile-cache"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name, parentPath }) => statSync(join(parentPath, name)).size)
    return { files: files.length, bytes: files.reduce((sum, size) => sum + size, 0) }
  } catch {
    // Not made yet, or a file of it was replaced just now.
    return { files: 0, bytes: 0 }
  }
}

/** A line a start, the cold ones named so. */
export const startLines = (starts: ReadonlyArray<Start>): ReadonlyArray<string> =>
  starts.map(({ act, compiled: { bytes, files }, cpuMillis, millis }) => {
    const cache =
      files === 0 ? "cold: nothing was compiled" : `warm: ${files} files, ${(bytes / 1e6).toFixed(1)} MB, were compiled`
    return `    ${String(millis).padStart(6)} ms, ${(cpuMillis / 1_000).toFixed(1)} CPU-seconds  ${act} (${cache})`
  })
