import * as Layer from "effect/Layer"
import * as AllowanceRedis from "../../src/live/AllowanceRedis.ts"
import * as SwitchesRedis from "../../src/live/SwitchesRedis.ts"
import * as UsageEventsRedis from "../../src/live/UsageEventsRedis.ts"
import { allowanceCapsContract } from "../../src/testing/contracts/AllowanceCapsContract.ts"
import { allowanceChangesContract } from "../../src/testing/contracts/AllowanceChangesContract.ts"
import { allowanceCompareContract } from "../../src/testing/contracts/AllowanceCompareContract.ts"
import { allowanceContract } from "../../src/testing/contracts/AllowanceContract.ts"
import { usageEventsContract } from "../../src/testing/contracts/UsageEventsContract.ts"
import { freshRedisClient, testTime } from "./FreshRedisClient.ts"

const redis = Layer.mergeAll(AllowanceRedis.layer, UsageEventsRedis.layer, SwitchesRedis.layer).pipe(
  Layer.provide([freshRedisClient, testTime]),
)

allowanceContract("Redis", redis)
allowanceChangesContract("Redis", redis)
allowanceCapsContract("Redis", redis)
allowanceCompareContract("Redis", redis)
usageEventsContract("Redis", redis)
