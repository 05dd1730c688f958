/** Picks each port of the proxy: the real thing if its variable is given, else embedded. */
import { Allowance } from "@berth/domain/Allowance"
import { Calibrations } from "@berth/domain/Calibration"
import * as Embedded from "@berth/domain/Embedded"
import * as AllowanceRedis from "@berth/domain/live/AllowanceRedis"
import * as AllowanceSourcePostgres from "@berth/domain/live/AllowanceSourcePostgres"
import * as CalibrationsRedis from "@berth/domain/live/CalibrationsRedis"
import * as Postgres from "@berth/domain/live/Postgres"
import { RedisClient } from "@berth/domain/live/RedisClient"
import * as SwitchesRedis from "@berth/domain/live/SwitchesRedis"
import { Switches } from "@berth/domain/Switches"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as EmbeddedKimi from "../embedded/Kimi.ts"
import type { Seed } from "../embedded/Seed.ts"
import { Kimi } from "../Kimi.ts"

const variables = { postgres: "DATABASE_URL", redis: "REDIS_URL", kimi: "KIMI_API_KEY", address: "PUBLIC_URL" } as const

export const embedded = Embedded.read(variables)
type Ports = Embedded.EmbeddedPorts<keyof typeof variables>

const kimiEmbedded = EmbeddedKimi.layer.pipe(
  Layer.provide(EmbeddedKimi.EmbeddedKimi.layer),
  Layer.provide(KeyValueStore.layerMemory),
)

const stores = Layer.mergeAll(AllowanceRedis.layer, SwitchesRedis.layer, CalibrationsRedis.layer).pipe(
  Layer.provide(RedisClient.layer),
)
const memory = Layer.mergeAll(Allowance.layerMemory, Switches.layerMemory, Calibrations.layerMemory)

export const layer = ({ postgres, redis, kimi }: Ports, seed: Seed) =>
  Layer.mergeAll(
    redis === undefined ? stores : memory,
    postgres === undefined ? AllowanceSourcePostgres.layer.pipe(Layer.provide(Postgres.layerConfig)) : seed.source,
    kimi === undefined ? Kimi.layer : kimiEmbedded,
  )
