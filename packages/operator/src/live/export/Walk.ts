/**
 * Everything on a volume, folders before what is in them, in an order that is the same at each walk. Nothing is followed:
 * a symlink is told as one. A folder that its owner may not read is made readable, a file only for as long as it takes to
 * open it: what is told of it is the same each time. Names that are no text are told as well as they can be.
 */
import { chmod, lstat, open, readdir, readlink } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import type { Item } from "../../export/Layout.ts"

export interface Found extends Item {
  /** Bytes of a file. */
  readonly size: number
  readonly mode: number
  readonly modified: Date
  /** Where it stands on this machine. */
  readonly place: Buffer
}

const slash = Buffer.from("/")

const isRefused = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "EACCES"

const readable = (mode: number): number => (mode | 0o700) & 0o7777

/** What is one's own can always be opened. */
const opened = async <A>(place: Buffer, mode: number, use: () => Promise<A>): Promise<A> => {
  try {
    return await use()
  } catch (error) {
    if (!isRefused(error)) throw error
    await chmod(place, readable(mode))
    return await use()
  }
}

export const openFile = async ({ place, mode }: Found): Promise<FileHandle> => {
  try {
    return await open(place, "r")
  } catch (error) {
    if (!isRefused(error)) throw error
    await chmod(place, readable(mode))
    try {
      return await open(place, "r")
    } finally {
      await chmod(place, mode)
    }
  }
}

/** `skip` is asked by path; what is in a folder that is skipped is not told either. */
export async function* walk(root: string, skip: (path: string) => boolean): AsyncGenerator<Found> {
  yield* below(Buffer.from(root), 0o700, "", skip)
}

async function* below(
  folder: Buffer,
  folderMode: number,
  prefix: string,
  skip: (path: string) => boolean,
): AsyncGenerator<Found> {
  const names = await opened(folder, folderMode, () => readdir(folder, { encoding: "buffer" }))
  for (const name of names.sort(Buffer.compare)) {
    const path = `${prefix}${name.toString("utf8")}`
    if (skip(path)) continue
    const place = Buffer.concat([folder, slash, name])
    const stat = await opened(folder, folderMode, () => lstat(place))
    const common = { path, mode: stat.mode & 0o7777, modified: stat.mtime, place }
    if (stat.isFile()) yield { ...common, type: "file", size: stat.size }
    if (stat.isSymbolicLink()) yield { ...common, type: "symlink", size: 0, link: (await readlink(place)).toString() }
    // Sockets and pipes hold nothing.
    if (!stat.isDirectory()) continue
    yield { ...common, type: "directory", size: 0 }
    yield* below(place, stat.mode, `${path}/`, skip)
  }
}
