/**
 * Who uses a server: one file per user of it, named by pid and birth, so that a process killed with -9 counts no more.
 * Invariant: a server is stopped only when nobody uses it. Whoever leaves says so before he looks for others, and whoever
 * comes signs in before he looks for someone leaving: at least one of the two sees the other.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { livingPid, ownName } from "./Processes.ts"

export interface Tenants {
  /** Pids of those who use the server now. */
  present(): ReadonlyArray<number>
  /** Whether someone is about to stop the server. */
  someoneLeaves(): boolean
  signIn(): string
  /** Says that the server may be stopped from now until `endLeaving`, and signs out. */
  beginLeaving(name: string): void
  endLeaving(name: string): void
}

export const tenants = (home: string): Tenants => {
  const users = join(home, "users")
  const leaving = join(home, "leaving")

  const living = (folder: string): ReadonlyArray<number> => {
    let names: ReadonlyArray<string>
    try {
      names = readdirSync(folder)
    } catch {
      return []
    }
    return names.flatMap((name) => {
      const pid = livingPid(name)
      if (pid !== undefined) return [pid]
      rmSync(join(folder, name), { force: true })
      return []
    })
  }
  const mark = (folder: string, name: string): void => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, name), "")
  }

  return {
    present: () => living(users),
    someoneLeaves: () => living(leaving).length > 0,
    signIn: () => {
      const name = `${ownName()}-${Math.random().toString(36).slice(2, 10)}`
      mark(users, name)
      return name
    },
    beginLeaving: (name) => {
      mark(leaving, name)
      rmSync(join(users, name), { force: true })
    },
    endLeaving: (name) => rmSync(join(leaving, name), { force: true }),
  }
}
