/**
 * Who uses a server: one file per user of it, named by pid and birth, so that a process killed with -9 counts no more.
 * Invariant: a server is stopped only when nobody uses it. Whoever leaves says so before he looks for others, and whoever
 * comes signs in before he looks for someone leaving: at least one of the two sees the other.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { birthOf, isAlive } from "./Processes.ts"

export interface Tenants {
  /** Pids of those who use the server now. */
  present(): ReadonlyArray<number>
  /** Whether someone is about to stop the server. */
  someoneLeaves(): boolean
  signIn(): string
  signOut(name: string): void
  /** Signs out and, for as long as `stopIfAlone` may stop the server, says so. */
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
      const [pid = 0, birth] = name.split("-").map(Number)
      if (isAlive(pid) && birthOf(pid) === String(birth)) return [pid]
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
      const name = `${process.pid}-${birthOf(process.pid)}-${Math.random().toString(36).slice(2, 10)}`
      mark(users, name)
      return name
    },
    signOut: (name) => rmSync(join(users, name), { force: true }),
    beginLeaving: (name) => {
      mark(leaving, name)
      rmSync(join(users, name), { force: true })
    },
    endLeaving: (name) => rmSync(join(leaving, name), { force: true }),
  }
}
