/**
 * The stream `usage:events` in Redis, with its epoch and how far it was trimmed in the hash `usage:epoch`. An entry that
 * can't be read stops the reader instead of being skipped: it is money.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { StoreUnavailable } from "../Errors.ts"
import { UsageEvent } from "../Usage.ts"
import { type Recordable, type StreamPlace, UsageEvents } from "../UsageEvents.ts"
import { RedisClient, script } from "./RedisClient.ts"

/** epoch, cursor, how many */
const after = script(
  "UsageEvents.after",
  `
local epoch = redis.call('HGET', 'usage:epoch', 'id') or ''
local from = epoch == ARGV[1] and '(' .. ARGV[2] or '-'
return {epoch, redis.call('XRANGE', 'usage:events', from, '+', 'COUNT', ARGV[3])}
`,
)

/** epoch, cursor */
const trim = script(
  "UsageEvents.trim",
  `
local place = redis.call('HMGET', 'usage:epoch', 'id', 'trimmed')
if place[1] ~= ARGV[1] then return end
local last = redis.call('XREVRANGE', 'usage:events', ARGV[2], '-', 'COUNT', 1)[1]
if not last then return end
local ms, seq = string.match(last[1], '^(%d+)-(%d+)$')
redis.call('XTRIM', 'usage:events', 'MINID', ms .. '-' .. string.format('%.0f', seq + 1))
redis.call('HSET', 'usage:epoch', 'trimmed', last[1])
`,
)

type Entry = readonly [cursor: string, fields: ReadonlyArray<string>]
const decodeData = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)))
const decodeEvent = Schema.decodeUnknownEffect(UsageEvent)

const decode = Effect.fnUntraced(function* ([cursor, fields]: Entry) {
  const [, tag, , customerId, , period, , at, , data] = fields
  const event = yield* decodeEvent({
    ...(yield* decodeData(data)),
    _tag: tag,
    customerId,
    period: Number(period),
    at: Number(at),
  })
  return { cursor, event }
})

/** Up to `max` events after a place; what both the recorder and a rebuild read. */
export const read = Effect.fnUntraced(function* (redis: RedisClient["Service"], place: StreamPlace, max: number) {
  const [epoch, entries] = (yield* redis.script(after, [place.epoch, place.cursor, max])) as [
    string,
    ReadonlyArray<Entry>,
  ]
  const events: ReadonlyArray<Recordable> = yield* Effect.forEach(entries, decode).pipe(
    Effect.mapError((cause) => new StoreUnavailable({ store: "redis", operation: "UsageEvents.after", cause })),
  )
  return { epoch, events }
})

export const layer: Layer.Layer<UsageEvents, never, RedisClient> = Layer.effect(
  UsageEvents,
  Effect.map(RedisClient, (redis) => ({
    after: Effect.fn("UsageEvents.after")((place: StreamPlace, max: number) => read(redis, place, max)),
    trim: Effect.fn("UsageEvents.trim")((place: StreamPlace) =>
      Effect.asVoid(redis.script(trim, [place.epoch, place.cursor])),
    ),
    length: redis.call("UsageEvents.length", (one) => one.xlen("usage:events")),
  })),
)
