/** Picks each port of the proxy: the real thing if its variable is given, else embedded; in production only the real thing. */
import { Allowance } from "@berth/domain/Allowance"
import { refusal } from "@berth/domain/Embedded"
import { Refused } from "@berth/domain/Launch"
import * as AllowanceRedis from "@berth/domain/live/AllowanceRedis"
import * as AllowanceSourcePostgres from "@berth/domain/live/AllowanceSourcePostgres"
import * as Postgres from "@berth/domain/live/Postgres"
import { RedisClient } from "@berth/domain/live/RedisClient"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as EmbeddedKimi from "../embedded/Kimi.ts"
import type { Seed } from "../embedded/Seed.ts"
import { Kimi } from "../Kimi.ts"

const variables = { allowance: "REDIS_URL", customers: "DATABASE_URL", kimi: "KIMI_API_KEY" } as const
type Port = keyof typeof variables

/** The variable of each port that stands embedded. */
export type Embedded = Readonly<Record<Port, string | undefined>>

export const embedded: Effect.Effect<Embedded, Config.ConfigError | Refused> = Effect.gen(function* () {
  const missing = (port: Port) =>
    Config.String(variables[port]).pipe(
      Config.withDefault(""),
      Config.map((value) => (value === "" ? variables[port] : undefined)),
    )
  const ports = yield* Config.all({
    allowance: missing("allowance"),
    customers: missing("customers"),
    kimi: missing("kimi"),
  })
  const message = refusal(yield* Config.String("BERTH_ENV").pipe(Config.withDefault("development")), ports)
  return message === undefined ? ports : yield* new Refused({ message })
})

const kimiEmbedded = EmbeddedKimi.layer.pipe(
  Layer.provide(EmbeddedKimi.EmbeddedKimi.layer),
  Layer.provide(KeyValueStore.layerMemory),
)

export const layer = (missing: Embedded, seed: Seed) =>
  Layer.mergeAll(
    missing.allowance === undefined
      ? AllowanceRedis.layer.pipe(Layer.provide(RedisClient.layer))
      : Allowance.layerMemory,
    missing.customers === undefined
      ? AllowanceSourcePostgres.layer.pipe(Layer.provide(Postgres.layerConfig))
      : seed.source,
    missing.kimi === undefined ? Kimi.layer : kimiEmbedded,
  )
