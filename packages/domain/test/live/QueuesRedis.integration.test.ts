import * as Layer from "effect/Layer"
import { reclaimMillis } from "../../src/AgentEvents.ts"
import * as AgentEventsRedis from "../../src/live/AgentEventsRedis.ts"
import * as CustomerBusRedis from "../../src/live/CustomerBusRedis.ts"
import * as JobQueueRedis from "../../src/live/JobQueueRedis.ts"
import { RedisClient } from "../../src/live/RedisClient.ts"
import { agentEventsContract } from "../../src/testing/contracts/AgentEventsContract.ts"
import { customerBusContract } from "../../src/testing/contracts/CustomerBusContract.ts"
import { jobQueueContract } from "../../src/testing/contracts/JobQueueContract.ts"
import { freshRedisClient } from "./FreshRedisClient.ts"

/** Ages everything the group has taken: Redis' own clock can't be moved. */
const lapse = RedisClient.use((redis) =>
  redis.call("lapse", async (one) => {
    const { group } = AgentEventsRedis
    const pending = await one.xpending("agent:events", group, "-", "+", 100)
    for (const [id] of pending as Array<[string]>)
      await one.xclaim("agent:events", group, "control", 0, id, "IDLE", reclaimMillis, "JUSTID")
  }),
)

jobQueueContract("Redis", JobQueueRedis.layer.pipe(Layer.provide(freshRedisClient)))
agentEventsContract("Redis", AgentEventsRedis.layer.pipe(Layer.provideMerge(freshRedisClient)), lapse)
customerBusContract("Redis", CustomerBusRedis.layer.pipe(Layer.provide(freshRedisClient)))
