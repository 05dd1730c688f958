/**
 * The stream `usage:events` in Redis, with its epoch and how far it was trimmed in the hash `usage:epoch`. An entry that
 * can't be read stops the reader instead of being skipped: it is money.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { StoreUnavailable } from "../Errors.ts"
import { UsageEvent } from "../Usage.ts"
import { type Page, type Recordable, type StreamPlace, UsageEvents } from "../UsageEvents.ts"
import { places } from "./AllowanceRedis/Prelude.ts"
import { RedisClient, script } from "./RedisClient.ts"

/**
 * epoch, cursor, how many, 1 if it is the recorder's own place. A cursor that the stream does not know tells that it lost its
 * tail, as Redis may in a crash or a failover. What came after that may have an id before the cursor, so everything is read
 * again, as another epoch. Once for each place: two recorders begin only one. A cursor before what was trimmed is one of an
 * older Postgres: what lies between is gone.
 */
const after = script(
  "UsageEvents.after",
  `${places}
local h = redis.call('HMGET', 'usage:epoch', 'id', 'trimmed', 'begunFor')
local epoch, trimmed, start = h[1] or '', h[2] or '0-0', '0-0'
if epoch == ARGV[1] and knows(ARGV[2], trimmed) then
  start = isLater(trimmed, ARGV[2]) and trimmed or ARGV[2]
elseif ARGV[1] ~= '' and ARGV[4] == '1' then
  local place = ARGV[1] .. ' ' .. ARGV[2]
  if h[3] ~= place then
    local t = redis.call('TIME')
    epoch = t[1] .. '.' .. t[2]
    redis.call('HSET', 'usage:epoch', 'id', epoch, 'trimmed', '0-0', 'begunFor', place)
    -- Even if it has no event yet: else a second loss would look like this beginning.
    if redis.call('EXISTS', 'usage:events') == 0 then redis.call('HSET', 'usage:epoch', 'empty', 1) end
    redis.call('HINCRBY', 'usage:epoch', 'rewound', 1)
  end
end
local from = start == '0-0' and '-' or '(' .. start
return {epoch, start, redis.call('XRANGE', 'usage:events', from, '+', 'COUNT', ARGV[3])}
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

export type Entry = readonly [cursor: string, fields: ReadonlyArray<string>]
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

/** Entries of the stream as events. */
export const decodeEntries = (
  entries: ReadonlyArray<Entry>,
): Effect.Effect<ReadonlyArray<Recordable>, StoreUnavailable> =>
  Effect.forEach(entries, decode).pipe(
    Effect.mapError((cause) => new StoreUnavailable({ store: "redis", operation: "UsageEvents.after", cause })),
  )

/** Up to `max` events after a place. Only the recorder's own place can tell that the stream has lost its tail. */
export const read = Effect.fnUntraced(function* (
  redis: RedisClient["Service"],
  { epoch: of, cursor }: StreamPlace,
  max: number,
  isRecorder: boolean,
) {
  const answer = yield* redis.script(after, [of, cursor, max, isRecorder ? 1 : 0])
  const [epoch, start, entries] = answer as [string, string, ReadonlyArray<Entry>]
  return { epoch, start, events: yield* decodeEntries(entries) } satisfies Page
})

export const layer: Layer.Layer<UsageEvents, never, RedisClient> = Layer.effect(
  UsageEvents,
  Effect.map(RedisClient, (redis) => ({
    after: Effect.fn("UsageEvents.after")((place: StreamPlace, max: number) => read(redis, place, max, true)),
    trim: Effect.fn("UsageEvents.trim")((place: StreamPlace) =>
      Effect.asVoid(redis.script(trim, [place.epoch, place.cursor])),
    ),
    length: redis.call("UsageEvents.length", (one) => one.xlen("usage:events")),
  })),
)
