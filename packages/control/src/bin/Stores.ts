/**
 * Postgres and Redis of a service of control: the real ones if their variables are given, else the embedded Postgres and
 * the memory layers, whose content is rebuilt from Postgres. The schema is brought up to date first.
 */
import { AgentEvents } from "@berth/domain/AgentEvents"
import { Allowance } from "@berth/domain/Allowance"
import { Calibrations } from "@berth/domain/Calibration"
import { CustomerBus } from "@berth/domain/CustomerBus"
import { isGiven } from "@berth/domain/Embedded"
import { JobQueue } from "@berth/domain/JobQueue"
import * as AgentEventsRedis from "@berth/domain/live/AgentEventsRedis"
import * as AllowanceRedis from "@berth/domain/live/AllowanceRedis"
import * as AllowanceSourcePostgres from "@berth/domain/live/AllowanceSourcePostgres"
import * as CalibrationsRedis from "@berth/domain/live/CalibrationsRedis"
import * as CustomerBusRedis from "@berth/domain/live/CustomerBusRedis"
import { EmbeddedPostgres } from "@berth/domain/live/EmbeddedPostgres"
import * as JobQueueRedis from "@berth/domain/live/JobQueueRedis"
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import * as Postgres from "@berth/domain/live/Postgres"
import { RedisClient } from "@berth/domain/live/RedisClient"
import * as SwitchesRedis from "@berth/domain/live/SwitchesRedis"
import * as UsageEventsRedis from "@berth/domain/live/UsageEventsRedis"
import { ensure } from "@berth/domain/Migrations"
import { Switches } from "@berth/domain/Switches"
import { UsageEvents } from "@berth/domain/UsageEvents"
import { Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Place } from "./Place.ts"

const embeddedPostgres = Layer.unwrap(
  Effect.gen(function* () {
    const { url } = yield* EmbeddedPostgres
    return Postgres.layer(url)
  }),
).pipe(
  Layer.provide(
    Layer.unwrap(Effect.map(LocalFolder.open, (berth) => EmbeddedPostgres.layer({ folder: `${berth}/postgres` }))),
  ),
)

/** The pool of `DATABASE_URL`, or of the embedded Postgres. */
export const client = Effect.map(isGiven("DATABASE_URL"), (given) => (given ? Postgres.layerConfig : embeddedPostgres))

const postgres = (isEmbedded: boolean) => {
  const pool = isEmbedded ? embeddedPostgres : Postgres.layerConfig
  return Layer.mergeAll(Work.layer, AllowanceSourcePostgres.layer, Layer.effectDiscard(ensure)).pipe(
    Layer.provideMerge(pool),
  )
}

/** Every port that Redis serves, in memory. */
const memory = Layer.mergeAll(
  Allowance.layerMemory,
  UsageEvents.layerMemory,
  Switches.layerMemory,
  Calibrations.layerMemory,
  JobQueue.layerMemory,
  AgentEvents.layerMemory,
  CustomerBus.layerMemory,
)

/** Every port that Redis serves, on one client for `REDIS_URL`. */
const redis = Layer.mergeAll(
  AllowanceRedis.layer,
  UsageEventsRedis.layer,
  SwitchesRedis.layer,
  CalibrationsRedis.layer,
  JobQueueRedis.layer,
  AgentEventsRedis.layer,
  CustomerBusRedis.layer,
).pipe(Layer.provide(RedisClient.layer))

export const layer = ({ embedded }: Place<"postgres" | "redis">) =>
  Layer.merge(postgres(embedded.postgres !== undefined), embedded.redis === undefined ? redis : memory)
