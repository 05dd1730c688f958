/** The lists `operator:jobs`, `operator:jobs:taken` and `operator:jobs:dead` in Redis. A take blocks on a connection of its own. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { JobQueue, mostDead, type RawJob } from "../JobQueue.ts"
import { RedisClient, script } from "./RedisClient.ts"

const waiting = "operator:jobs"
const taken = "operator:jobs:taken"
const dead = "operator:jobs:dead"

/** The newest taken stands on the left: moved first, it ends up behind the older ones at the head on the right. */
const returnTaken = script(
  "JobQueue.returnTaken",
  `
local count = 0
while redis.call('LMOVE', '${taken}', '${waiting}', 'LEFT', 'RIGHT') do count = count + 1 end
return count
`,
)

/** job, what is written to the dead */
const bury = script(
  "JobQueue.bury",
  `
if redis.call('LREM', '${taken}', 1, ARGV[1]) == 0 then return end
redis.call('LPUSH', '${dead}', ARGV[2])
redis.call('LTRIM', '${dead}', 0, ${mostDead} - 1)
`,
)

export const layer: Layer.Layer<JobQueue, never, RedisClient> = Layer.effect(
  JobQueue,
  Effect.gen(function* () {
    const redis = yield* RedisClient
    const blocking = yield* redis.connect(1_000)
    return JobQueue.of({
      push: Effect.fn("JobQueue.push")((job: RawJob) =>
        Effect.asVoid(redis.call("JobQueue.push", (one) => one.lpush(waiting, job))),
      ),
      take: blocking
        .call("JobQueue.take", (one) => one.blmove(waiting, taken, "RIGHT", "LEFT", 1))
        .pipe(Effect.map(Option.fromNullOr), Effect.withSpan("JobQueue.take")),
      acknowledge: Effect.fn("JobQueue.acknowledge")((job: RawJob) =>
        Effect.asVoid(redis.call("JobQueue.acknowledge", (one) => one.lrem(taken, 1, job))),
      ),
      returnTaken: Effect.map(redis.script(returnTaken, []), Number).pipe(Effect.withSpan("JobQueue.returnTaken")),
      bury: Effect.fn("JobQueue.bury")((job: RawJob, reason: string) =>
        Effect.asVoid(redis.script(bury, [job, JSON.stringify({ reason, job })])),
      ),
      depth: Effect.all(
        {
          waiting: redis.call("JobQueue.depth", (one) => one.llen(waiting)),
          taken: redis.call("JobQueue.depth", (one) => one.llen(taken)),
          dead: redis.call("JobQueue.depth", (one) => one.llen(dead)),
        },
        { concurrency: 3 },
      ),
    })
  }),
)
