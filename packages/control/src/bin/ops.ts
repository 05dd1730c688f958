/** `npm run ops -- <command>`: on `DATABASE_URL` and `REDIS_URL`. Without a Redis, billing tells its own within a second. */
import { isGiven } from "@berth/domain/Embedded"
import { Refused, runMain } from "@berth/domain/Launch"
import * as AllowanceRedis from "@berth/domain/live/AllowanceRedis"
import * as AllowanceSourcePostgres from "@berth/domain/live/AllowanceSourcePostgres"
import { RedisClient } from "@berth/domain/live/RedisClient"
import * as SwitchesRedis from "@berth/domain/live/SwitchesRedis"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Command } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Audit } from "../billing/Audit.ts"
import { commands } from "../ops/Commands.ts"
import * as Stores from "./Stores.ts"

const stores = Layer.unwrap(
  Effect.gen(function* () {
    const postgres = Layer.mergeAll(AllowanceSourcePostgres.layer, Audit.layer).pipe(
      Layer.provideMerge(yield* Stores.client),
    )
    const redis = Layer.merge(AllowanceRedis.layer, SwitchesRedis.layer).pipe(Layer.provide(RedisClient.layer))
    return Layer.merge(postgres, (yield* isGiven("REDIS_URL")) ? redis : Layer.empty)
  }),
)

const unreachable = { redis: "Redis cannot be reached: check REDIS_URL.", postgres: "Postgres does not answer." }

runMain(
  Command.run(commands.pipe(Command.provide(stores)), { version: "0.1.0" }).pipe(
    Effect.catchTag("StoreUnavailable", ({ store }) => Effect.fail(new Refused({ message: unreachable[store] }))),
    Effect.provide(NodeServices.layer),
  ),
)
