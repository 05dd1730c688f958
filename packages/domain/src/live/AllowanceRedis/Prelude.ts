/**
 * What the allowance scripts share: Redis' own time, calendar months, the stream and the roll-over of periods. It says in
 * Lua what `Allowance/Period.ts` and `Allowance/Limit.ts` say, and the same properties hold for both.
 */
import { holdMillis, markerMillis } from "../../Allowance/Holding.ts"
import { remembered } from "../../Allowance/Limit.ts"

/** ARGV[1] of every script: empty for Redis' own time; tests alone pass an instant. */
const time = `
local now
if ARGV[1] ~= '' then
  now = tonumber(ARGV[1])
else
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local function int(n) return string.format('%.0f', n) end
`

const calendar = `
local DAY = 86400000
local BEFORE = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334}

-- Days from 1970-01-01 to the first of a month; the month may lie beyond December.
local function daysTo(year, month)
  year, month = year + math.floor((month - 1) / 12), (month - 1) % 12 + 1
  local past = year - 1
  local leapDays = math.floor(past / 4) - math.floor(past / 100) + math.floor(past / 400) - 477
  local days = (year - 1970) * 365 + leapDays + BEFORE[month]
  if month > 2 and ((year % 4 == 0 and year % 100 ~= 0) or year % 400 == 0) then days = days + 1 end
  return days
end

local function dateOf(instant)
  local days = math.floor(instant / DAY)
  local year = 1970 + math.floor(days / 365.2425)
  if daysTo(year, 1) > days then year = year - 1 elseif daysTo(year + 1, 1) <= days then year = year + 1 end
  local month = 12
  while daysTo(year, month) > days do month = month - 1 end
  return year, month, days - daysTo(year, month) + 1
end

local function inMonth(anchor, year, month)
  local _, _, day = dateOf(anchor)
  local last = daysTo(year, month + 1) - daysTo(year, month)
  return (daysTo(year, month) + math.min(day, last) - 1) * DAY + anchor % DAY
end

-- The first month from the anchor that is later than the instant.
local function boundaryAfter(anchor, instant)
  local year, month = dateOf(instant)
  local same = inMonth(anchor, year, month)
  if same > instant then return same end
  return inMonth(anchor, year, month + 1)
end
`

/** For whoever has a place in the stream. `place` is of the hash `usage:epoch`: its id and how far it was trimmed. */
export const places = `
local function isLater(one, other)
  local ms, seq = string.match(one, '^(%d+)-(%d+)$')
  local otherMs, otherSeq = string.match(other, '^(%d+)-(%d+)$')
  ms, otherMs = tonumber(ms), tonumber(otherMs)
  return ms > otherMs or (ms == otherMs and tonumber(seq) > tonumber(otherSeq))
end

-- Where in this life of the stream a reader is who has that place of that epoch.
local function knownOf(place, epoch, cursor) return place[1] == epoch and cursor or '0-0' end

-- A cursor stands in the stream or was trimmed from it, else it has gone with the stream's tail.
local function knows(cursor, trimmed)
  return not isLater(cursor, trimmed) or #redis.call('XRANGE', 'usage:events', cursor, cursor) == 1
end
`

const stream = `
-- An epoch is one life of the stream: whoever appends first begins it, and what was trimmed in it is remembered.
local function append(tag, id, period, data)
  if redis.call('EXISTS', 'usage:events', 'usage:epoch') < 2 and redis.call('HDEL', 'usage:epoch', 'empty') == 0 then
    local t = redis.call('TIME')
    redis.call('HSET', 'usage:epoch', 'id', t[1] .. '.' .. t[2], 'trimmed', '0-0')
  end
  redis.call('XADD', 'usage:events', '*', 'tag', tag, 'customer', id, 'period', period, 'at', int(now), 'data', data)
end
`

const periods = `
local function beyond(used, plan) return math.max(0, used - plan) end

-- The day that a charge counts into, and what it has by now. A day before the newest counts into the newest.
local function todayAt(day, used)
  local current = math.floor(now / DAY)
  if day and tonumber(day) >= current then return tonumber(day), tonumber(used) end
  return current, 0
end

local function charge(key, period, tokens, background)
  local h = redis.call('HMGET', key, 'period', 'packs', 'used:' .. period, 'plan:' .. period, 'day', 'today', 'used')
  local current = tonumber(h[1])
  local day, today = todayAt(h[5], h[6])
  local function set(...) redis.call('HSET', key, 'day', day, 'today', today + tokens, ...) end
  if period >= current then
    local suffix = period == current and '' or ':' .. period
    set('used' .. suffix, (period == current and h[7] or h[3] or 0) + tokens)
    if background then redis.call('HINCRBY', key, 'background' .. suffix, tokens) end
  elseif h[4] then
    local old, plan = tonumber(h[3]), tonumber(h[4])
    local taken = beyond(old + tokens, plan) - beyond(old, plan)
    set('used:' .. period, old + tokens, 'packs', math.max(0, h[2] - taken))
  else
    set()
  end
end

-- Closes the running period of l and opens the next, in the hash as in l.
local function rollOver(key, id, l)
  redis.call('HSET', key, 'used:' .. l.period, l.used, 'plan:' .. l.period, l.plan)
  local dropped = l.period - ${remembered}
  redis.call('HDEL', key, 'used:' .. dropped, 'plan:' .. dropped)
  l.packs = math.max(0, l.packs - beyond(l.used, l.plan))
  l.plan = l.nextPlan
  l.period = l.period + 1
  local startsAt = math.max(l.periodEnd, l.anchor)
  l.periodEnd = boundaryAfter(l.anchor, startsAt)
  local early = redis.call('HMGET', key, 'used:' .. l.period, 'background:' .. l.period)
  l.used = tonumber(early[1] or 0)
  redis.call('HDEL', key, 'used:' .. l.period, 'background:' .. l.period)
  redis.call('HSET', key, 'period', l.period, 'periodEnd', l.periodEnd, 'plan', l.plan, 'packs', l.packs,
    'used', l.used, 'background', early[2] or 0)
  append('period', id, l.period,
    '{"startsAt":' .. int(startsAt) .. ',"endsAt":' .. int(l.periodEnd) .. ',"plan":' .. int(l.plan) .. '}')
end
`

const holds = `
local HOLD = ${holdMillis}
local MARKER = ${markerMillis / 1_000}
local function limitKey(id) return 'limit:{' .. id .. '}' end
local function holdsKey(id) return 'holds:{' .. id .. '}' end
local function markerKey(id, call) return 'settled:{' .. id .. '}:' .. call end

-- An open hold is written "<period>:<ask>:<1 for background, else 0>".
local function keep(id, call, period, ask, background)
  redis.call('HSET', holdsKey(id), call, period .. ':' .. int(ask) .. (background and ':1' or ':0'))
  redis.call('ZADD', 'holds', now + HOLD, id .. ':' .. call)
end

local function openOf(hold)
  local period, ask, background = string.match(hold, '^(%d+):(%d+):?(%d?)$')
  return tonumber(period), tonumber(ask), background == '1'
end

-- What the open holds amount to, and the part of background turns.
local function heldBy(id)
  local held, heldBackground = 0, 0
  for _, open in ipairs(redis.call('HVALS', holdsKey(id))) do
    local _, ask, background = openOf(open)
    held = held + ask
    if background then heldBackground = heldBackground + ask end
  end
  return held, heldBackground
end

local function addHeld(key, tokens, background)
  redis.call('HINCRBY', key, 'held', tokens)
  if background then redis.call('HINCRBY', key, 'heldBackground', tokens) end
end

-- Gives a hold back if it is still there.
local function drop(id, call)
  local open = redis.call('HGET', holdsKey(id), call)
  redis.call('ZREM', 'holds', id .. ':' .. call)
  if not open then return nil end
  redis.call('HDEL', holdsKey(id), call)
  local period, ask, background = openOf(open)
  local key = limitKey(id)
  -- Not -ask: of an ask of 0 that is "-0", which is no integer to Redis.
  if redis.call('EXISTS', key) == 1 then addHeld(key, 0 - ask, background) end
  return period, ask
end
`

export const prelude = time + calendar + places + stream + periods + holds
