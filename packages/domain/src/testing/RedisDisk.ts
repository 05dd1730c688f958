/**
 * What a power cut leaves of a Redis. A kill -9 loses nothing that was written, because the kernel still holds it; after a
 * power cut only what was forced to the disk is there. Here that is done by hand: kill, cut the append-only file, start.
 */
import { existsSync, readdirSync, statSync, truncateSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { RedisServer } from "./RedisServer.ts"

/** The file that grows: since Redis 7 the newest increment, before that the only one. Undefined while there is none. */
const growing = (folder: string): string | undefined => {
  const parts = join(folder, "appendonlydir")
  if (!existsSync(parts)) return undefined
  const sequence = (name: string) => Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1] ?? 0)
  const [newest] = readdirSync(parts)
    .filter((name) => name.endsWith(".incr.aof"))
    .sort((a, b) => sequence(b) - sequence(a))
  return newest === undefined ? undefined : join(parts, newest)
}

const fileOf = ({ folder }: RedisServer): string => growing(folder) ?? join(folder, "appendonly.aof")

/** Bytes written so far. */
export const written = (server: RedisServer): number => statSync(fileOf(server), { throwIfNoEntry: false })?.size ?? 0

/** The power goes, and of what was written only the first `bytes` were on the disk; how many were not. The server stays down. */
export const cutPower = Effect.fn("RedisDisk.cutPower")(function* (server: RedisServer, bytes: number) {
  yield* server.kill
  return yield* Effect.sync(() => {
    const before = written(server)
    if (bytes >= before) return 0
    truncateSync(fileOf(server), bytes)
    return before - bytes
  })
})
