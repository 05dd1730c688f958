/**
 * A copy of the checkout to plant faults in. It has every file that git knows or would add, links to the installed packages,
 * and workspaces of its own: `@berth/*` resolves inside the copy.
 */
import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync } from "node:fs"
import { dirname, join } from "node:path"
import { livingPid } from "../../packages/domain/src/live/EmbeddedPostgres/Processes.ts"
import { closeRunNow } from "../../packages/domain/src/testing/TestFolder.ts"

/** Every file that stands in the checkout and is not ignored. */
const files = (root: string): ReadonlyArray<string> =>
  execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  })
    .split("\0")
    .filter((file) => file !== "" && statSync(join(root, file), { throwIfNoEntry: false })?.isFile() === true)

const linkAll = (from: string, to: string): void => {
  if (!existsSync(from)) return
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from)) {
    if (name === "@berth") {
      mkdirSync(join(to, name))
      // Links such as ../../packages/domain: the same text means the copy's own package.
      for (const pkg of readdirSync(join(from, name)))
        symlinkSync(readlinkSync(join(from, name, pkg)), join(to, name, pkg))
    } else if (!name.startsWith(".") || name === ".bin") {
      symlinkSync(join(from, name), join(to, name))
    }
  }
}

export const copyCheckout = (root: string, copy: string): void => {
  rmSync(copy, { recursive: true, force: true })
  for (const file of files(root)) {
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    cpSync(join(root, file), join(copy, file))
  }
  linkAll(join(root, "node_modules"), join(copy, "node_modules"))
  for (const pkg of readdirSync(join(copy, "packages"))) {
    linkAll(join(root, "packages", pkg, "node_modules"), join(copy, "packages", pkg, "node_modules"))
  }
  // A server fetched or built once is fetched or built once.
  for (const name of ["redis", "toxiproxy"]) {
    if (!existsSync(join(root, ".berth", name))) continue
    mkdirSync(join(copy, ".berth"), { recursive: true })
    symlinkSync(join(root, ".berth", name), join(copy, ".berth", name))
  }
}

/** Where the copies are, each named by the process that uses it. */
export const copies = (berth: string): string => join(berth, "mutants")

/** Removes copies whose process is gone, and the servers of the tests that ran in them. */
export const removeDeadCopies = (berth: string): void => {
  for (const name of existsSync(copies(berth)) ? readdirSync(copies(berth)) : []) {
    if (livingPid(name) !== undefined) continue
    const copy = join(copies(berth), name)
    const runs = join(copy, ".berth", "test")
    for (const run of existsSync(runs) ? readdirSync(runs) : []) closeRunNow(join(runs, run))
    rmSync(copy, { recursive: true, force: true, maxRetries: 3 })
  }
}
