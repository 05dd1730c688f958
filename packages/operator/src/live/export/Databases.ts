/**
 * OpenClaw's backups hold SQLite databases without the logs beside them, but a gateway that was killed leaves those. Nobody
 * else has the database open by now, so what is in its log goes into it, as at the next start. One that can't be opened
 * stays as it is: log and database together are still whole.
 */
import { lstat, open } from "node:fs/promises"
import { DatabaseSync } from "node:sqlite"
import { walk } from "./Walk.ts"

const isLog = (path: string): boolean => path.endsWith(".sqlite-wal")

const header = Buffer.from("SQLite format 3\0")

/** SQLite itself would take the log of anything else for an old one, and remove it; a pipe would be waited for. */
const isDatabase = async (file: string): Promise<boolean> => {
  if (!(await lstat(file)).isFile()) return false
  const handle = await open(file, "r")
  try {
    const { buffer } = await handle.read(Buffer.alloc(header.length), 0, header.length, 0)
    return header.equals(buffer)
  } finally {
    await handle.close()
  }
}

const settle = async (file: string): Promise<void> => {
  try {
    if (!(await isDatabase(file))) return
    const database = new DatabaseSync(file)
    try {
      database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    } finally {
      database.close()
    }
  } catch (error) {
    process.stderr.write(`a database keeps its log: ${error instanceof Error ? error.message : String(error)}\n`)
  }
}

export const settleDatabases = async (root: string, skip: (path: string) => boolean): Promise<void> => {
  const logs: Array<string> = []
  for await (const { path, type, place } of walk(root, skip))
    if (type === "file" && isLog(path)) logs.push(place.toString().slice(0, -"-wal".length))
  for (const file of logs) await settle(file)
}
