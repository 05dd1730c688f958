/**
 * Calibrations in Redis: `calibration:{<id>}`, a field per model. Merged here and written only if nobody wrote since it was
 * read, else merged again, so that no process's learning is lost.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { merge } from "../Calibration/Merge.ts"
import { Calibrations, CalibrationState } from "../Calibration.ts"
import { StoreUnavailable } from "../Errors.ts"
import type { CustomerId } from "../Ids.ts"
import { RedisClient, script } from "./RedisClient.ts"

const stateText = Schema.fromJsonString(CalibrationState)
const decode = Schema.decodeUnknownOption(stateText)
const encode = Schema.encodeSync(stateText)

const kept = 60 * 24 * 60 * 60
/** Times that others may come in between. */
const tries = 10

/** key, model, what stood there when it was read, what shall stand, seconds. Answers what stands there. */
const replace = script(
  "Calibrations.replace",
  `
local stands = redis.call('HGET', ARGV[1], ARGV[2]) or ''
if stands ~= ARGV[3] then return stands end
redis.call('HSET', ARGV[1], ARGV[2], ARGV[4])
redis.call('EXPIRE', ARGV[1], ARGV[5])
return ARGV[4]
`,
)

const keyOf = (customerId: CustomerId): string => `calibration:{${customerId}}`

/** Four digits say enough, and keep a customer's hash at some kilobytes. */
const rounded = (value: number): number => Number(value.toPrecision(4))
const compact = ({ version, mixes }: CalibrationState): CalibrationState => ({
  version,
  mixes: mixes.map((mix) => ({
    roots: mix.roots.map((root) => Math.round(root * 10_000) / 10_000),
    count: rounded(mix.count),
    sum: rounded(mix.sum),
    squares: rounded(mix.squares),
    noise: rounded(mix.noise),
  })),
})

export const layer: Layer.Layer<Calibrations, never, RedisClient> = Layer.effect(
  Calibrations,
  Effect.gen(function* () {
    const redis = yield* RedisClient
    return Calibrations.of({
      of: Effect.fn("Calibrations.of")(function* (customerId: CustomerId) {
        const fields = yield* redis.call("Calibrations.of", (one) => one.hgetall(keyOf(customerId)))
        const states = Object.entries(fields).map(([model, text]) => [model, decode(text)] as const)
        return new Map(states.flatMap(([model, state]) => (Option.isSome(state) ? [[model, state.value]] : [])))
      }),
      learn: Effect.fn("Calibrations.learn")(function* (customerId, model, learnt) {
        let stands = ""
        for (let tried = 0; tried < tries; tried++) {
          const state = merge(Option.getOrUndefined(decode(stands)), learnt)
          const text = encode(compact(state))
          const args = [keyOf(customerId), model, stands, text, kept]
          const answer = String(yield* redis.script(replace, args))
          if (answer === text) return state
          stands = answer
        }
        return yield* new StoreUnavailable({ store: "redis", operation: replace.name, cause: "others kept writing" })
      }),
    })
  }),
)
