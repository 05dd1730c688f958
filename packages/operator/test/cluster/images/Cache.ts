/**
 * Folders that are made once and kept, `${XDG_CACHE_HOME:-~/.cache}/berth/images/<name>-<key>`: the key stands for everything
 * that they are made of. A folder appears whole or not at all, so two who make the same one at once do no harm. Of each name
 * the newest two are kept.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { ImageFailed } from "./Failed.ts"

export const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "berth", "images")

export const keyOf = (...parts: ReadonlyArray<string | Buffer>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(createHash("sha256").update(part).digest())
  return hash.digest("hex").slice(0, 16)
}

/** The one that was just made and the one before it, which someone may be reading. */
const removeOld = (name: string): void => {
  const others = readdirSync(cacheFolder)
    .filter((one) => one.startsWith(`${name}-`) && /^[0-9a-f]{16}$/.test(one.slice(name.length + 1)))
    .map((one) => ({ path: join(cacheFolder, one), at: statSync(join(cacheFolder, one)).mtimeMs }))
    .sort((one, other) => other.at - one.at)
  for (const { path } of others.slice(2)) rmSync(path, { recursive: true, force: true })
}

/** The folder, made by `make` (which fills the empty one that it is given) unless it is there. */
export const cached = (
  name: string,
  key: string,
  make: (folder: string) => Effect.Effect<void, ImageFailed>,
): Effect.Effect<string, ImageFailed> =>
  Effect.suspend(() => {
    const place = join(cacheFolder, `${name}-${key}`)
    if (existsSync(place)) return Effect.succeed(place)
    mkdirSync(cacheFolder, { recursive: true })
    return Effect.acquireUseRelease(
      Effect.sync(() => mkdtempSync(join(cacheFolder, `.${name}-`))),
      (folder) =>
        Effect.map(make(folder), () => {
          try {
            renameSync(folder, place)
            removeOld(name)
          } catch (error) {
            // Somebody else was quicker; theirs is the same.
            if (!existsSync(place)) throw error
          }
          return place
        }),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true })),
    )
  })
