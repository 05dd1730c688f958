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

const stream = `
-- An epoch is one life of the stream: whoever appends first begins it, and what was trimmed in it is remembered.
local function append(tag, id, period, data)
  if redis.call('EXISTS', 'usage:events', 'usage:epoch') < 2 then
    local t = redis.call('TIME')
    redis.call('HSET', 'usage:epoch', 'id', t[1] .. '.' .. t[2], 'trimmed', '0-0')
  end
  redis.call('XADD', 'usage:events', '*', 'tag', tag, 'customer', id, 'period', period, 'at', int(now), 'data', data)
end
`

const periods = `
local function beyond(used, plan) return math.max(0, used - plan) end

local function charge(key, period, tokens)
  local h = redis.call('HMGET', key, 'period', 'packs', 'used:' .. period, 'plan:' .. period)
  local current = tonumber(h[1])
  if period == current then
    redis.call('HINCRBY', key, 'used', tokens)
  elseif period > current then
    redis.call('HINCRBY', key, 'used:' .. period, tokens)
  elseif h[4] then
    local old, plan = tonumber(h[3]), tonumber(h[4])
    local taken = beyond(old + tokens, plan) - beyond(old, plan)
    redis.call('HSET', key, 'used:' .. period, old + tokens, 'packs', math.max(0, h[2] - taken))
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
  l.used = tonumber(redis.call('HGET', key, 'used:' .. l.period) or 0)
  redis.call('HDEL', key, 'used:' .. l.period)
  redis.call('HSET', key, 'period', l.period, 'periodEnd', l.periodEnd, 'plan', l.plan, 'packs', l.packs, 'used', l.used)
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

local function keep(id, call, period, ask)
  redis.call('HSET', holdsKey(id), call, period .. ':' .. int(ask))
  redis.call('ZADD', 'holds', now + HOLD, id .. ':' .. call)
end

-- Gives a hold back if it is still there.
local function drop(id, call)
  local open = redis.call('HGET', holdsKey(id), call)
  redis.call('ZREM', 'holds', id .. ':' .. call)
  if not open then return nil end
  redis.call('HDEL', holdsKey(id), call)
  local period, ask = string.match(open, '^(%d+):(%d+)$')
  local key = limitKey(id)
  -- Not -ask: of an ask of 0 that is "-0", which is no integer to Redis.
  if redis.call('EXISTS', key) == 1 then redis.call('HINCRBY', key, 'held', 0 - ask) end
  return period, ask
end
`

export const prelude = time + calendar + stream + periods + holds
