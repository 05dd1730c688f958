/** What `npm start` reads from the environment, once: its place, and the ports of what it serves. */
import * as Listen from "@berth/domain/Listen"
import * as Effect from "effect/Effect"
import * as Place from "../Place.ts"

const connections = [
  "postgres",
  "redis",
  "kimi",
  "stripe",
  "telegram",
  "mail",
  "cluster",
  "identity",
  "bearer",
  "exports",
  "opener",
  "links",
  "address",
] as const

export const read = Effect.gen(function* () {
  const place = yield* Place.here(connections, "PORT", 3000)
  const ports = {
    proxy: yield* Listen.port("PROXY_PORT", 8080),
    internal: yield* Listen.port("INTERNAL_PORT", 3011),
    ops: yield* Listen.port("OPS_PORT", 9090),
  }
  return {
    ...place,
    ports,
    proxyUrl: `http://127.0.0.1:${ports.proxy}/v1`,
    internalUrl: `http://127.0.0.1:${ports.internal}`,
  }
})
export type Settings = Effect.Success<typeof read>
