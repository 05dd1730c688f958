import * as Layer from "effect/Layer"
import * as AllowanceRedis from "../../src/live/AllowanceRedis.ts"
import * as UsageEventsRedis from "../../src/live/UsageEventsRedis.ts"
import { allowanceChangesContract } from "../../src/testing/contracts/AllowanceChangesContract.ts"
import { allowanceContract } from "../../src/testing/contracts/AllowanceContract.ts"
import { usageEventsContract } from "../../src/testing/contracts/UsageEventsContract.ts"
import { freshRedisClient, testTime } from "./FreshRedisClient.ts"

const redis = Layer.merge(AllowanceRedis.layer, UsageEventsRedis.layer).pipe(
  Layer.provide([freshRedisClient, testTime]),
)

allowanceContract("Redis", redis)
allowanceChangesContract("Redis", redis)
usageEventsContract("Redis", redis)
