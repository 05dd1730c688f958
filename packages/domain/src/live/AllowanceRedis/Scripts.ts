/**
 * The allowance as scripts: each is one atomic step and one round trip, and each bears being repeated. They decide what
 * the pure rules of `Allowance/` decide. A `call` is "<request>:<attempt>"; ARGV[1] is the time (see Prelude.ts).
 */
import { script } from "../RedisClient.ts"
import { prelude } from "./Prelude.ts"

const allowance = (name: string, lua: string) => script(`Allowance.${name}`, prelude + lua)

/**
 * time, customer, token hash, call, prompt, completion, floor, backlog limit, model, 1 for background. A call that has ended
 * is not admitted again: what waited on a connection that broke may come after the release that answered for it.
 */
export const admit = allowance(
  "admit",
  `
local id, token, call = ARGV[2], ARGV[3], ARGV[4]
local prompt, completion, floor = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local key = limitKey(id)
local h = redis.call('HMGET', key, 'tokens', 'blocked', 'paused', 'periodEnd', 'serviceUntil', 'period', 'plan',
  'packs', 'used', 'held', 'tier', 'dailyCap')
if not h[1] then return {'Absent'} end
if not string.find(',' .. h[1] .. ',', ',' .. token .. ',', 1, true) then return {'Revoked'} end
if h[2] == '1' then return {'Blocked'} end
if h[3] == '1' then return {'Paused'} end
local stopped = redis.call('HMGET', 'switches', 'all', 'model:' .. ARGV[9], 'customer:' .. id)
if stopped[1] then return {'Stopped', 'all'} end
if stopped[2] then return {'Stopped', 'model'} end
if stopped[3] then return {'Stopped', 'customer'} end

local periodEnd, period, held, tier = tonumber(h[4]), tonumber(h[6]), tonumber(h[10]), h[11]
local plan, packs, used = tonumber(h[7]), tonumber(h[8]), tonumber(h[9])
local open = redis.call('HGET', holdsKey(id), call)
if open then
  local of, ask, ofBackground = openOf(open)
  return {'Admitted', of, ask, plan + packs - used - held, plan + packs, periodEnd, tier, ofBackground and 1 or 0}
end
if redis.call('EXISTS', markerKey(id, call)) == 1 then return {'Ended'} end

if now >= periodEnd and now >= tonumber(h[5]) then return {'Lapsed', tonumber(h[5])} end
if redis.call('XLEN', 'usage:events') > tonumber(ARGV[8]) then return {'Backlogged'} end
if now >= periodEnd then
  local more = redis.call('HMGET', key, 'nextPlan', 'anchor')
  local l = {period = period, periodEnd = periodEnd, plan = plan, packs = packs, used = used,
    nextPlan = tonumber(more[1]), anchor = tonumber(more[2])}
  while now >= l.periodEnd do rollOver(key, id, l) end
  period, periodEnd, plan, packs, used = l.period, l.periodEnd, l.plan, l.packs, l.used
end

local limit = plan + packs
local least = prompt + math.min(completion, floor)
if used + least > limit then
  local told = int(period) .. ':' .. int(limit)
  if redis.call('HGET', key, 'told') ~= told then
    redis.call('HSET', key, 'told', told)
    append('exhausted', id, period, '{"used":' .. int(used) .. ',"limit":' .. int(limit) .. '}')
  end
  return {'Exhausted', used, limit, periodEnd}
end
local free = limit - used - held
local dailyCap = tonumber(h[12] or '')
if dailyCap then
  local day, today = todayAt(unpack(redis.call('HMGET', key, 'day', 'today')))
  if today + least > dailyCap then return {'DailyCapped', dailyCap, (day + 1) * DAY} end
  free = math.min(free, dailyCap - today - held)
end
local isBackground = ARGV[10] == '1'
if isBackground then
  local b = redis.call('HMGET', key, 'backgroundCap', 'background', 'heldBackground')
  -- A hash of before there was a cap has none until it is rebuilt.
  local backgroundCap, background, heldBackground = tonumber(b[1] or math.huge), tonumber(b[2] or 0), tonumber(b[3] or 0)
  if background + least > backgroundCap then return {'BackgroundCapped', backgroundCap, periodEnd} end
  free = math.min(free, backgroundCap - background - heldBackground)
end
if least > free then return {'Busy', limit, periodEnd} end
local ask = prompt + math.min(completion, free - prompt)
keep(id, call, period, ask, isBackground)
addHeld(key, ask, isBackground)
return {'Admitted', period, ask, limit - used - held - ask, limit, periodEnd, tier, isBackground and 1 or 0}
`,
)

/** time, customer, call, period, charge, 1 for background, data of the event */
export const settle = allowance(
  "settle",
  `
local id, call, period = ARGV[2], ARGV[3], tonumber(ARGV[4])
local marker = redis.call('GET', markerKey(id, call))
if marker == 'settled' then return 'repeat' end
redis.call('SET', markerKey(id, call), 'settled', 'EX', MARKER)
drop(id, call)
if redis.call('EXISTS', limitKey(id)) == 1 then charge(limitKey(id), period, tonumber(ARGV[5]), ARGV[6] == '1') end
append(marker == 'lost' and 'correction' or 'usage', id, period, ARGV[7])
return marker == 'lost' and 'corrected' or 'settled'
`,
)

/** time, customer, call */
export const release = allowance(
  "release",
  `
drop(ARGV[2], ARGV[3])
redis.call('SET', markerKey(ARGV[2], ARGV[3]), 'released', 'EX', MARKER, 'NX')
`,
)

/** time, customer, call, period, ask, 1 for background */
export const renew = allowance(
  "renew",
  `
local id, call, ask, background = ARGV[2], ARGV[3], tonumber(ARGV[5]), ARGV[6] == '1'
if redis.call('HEXISTS', holdsKey(id), call) == 1 then
  redis.call('ZADD', 'holds', now + HOLD, id .. ':' .. call)
  return
end
local marker = redis.call('GET', markerKey(id, call))
if marker == 'settled' or marker == 'released' then return end
keep(id, call, ARGV[4], ask, background)
if redis.call('EXISTS', limitKey(id)) == 1 then addHeld(limitKey(id), ask, background) end
`,
)

/** time, how many at most; answers how many */
export const sweep = allowance(
  "sweep",
  `
local expired = redis.call('ZRANGEBYSCORE', 'holds', '-inf', now, 'LIMIT', 0, ARGV[2])
for _, member in ipairs(expired) do
  local id, request, attempt = string.match(member, '^([^:]+):(.*):(%d+)$')
  local call = request .. ':' .. attempt
  local marker = redis.call('GET', markerKey(id, call))
  local period, ask = drop(id, call)
  if period and marker ~= 'settled' then
    redis.call('SET', markerKey(id, call), 'lost', 'EX', MARKER)
    if marker ~= 'lost' then
      append('lost', id, period,
        '{"requestId":' .. cjson.encode(request) .. ',"attempt":' .. attempt .. ',"ask":' .. ask .. '}')
    end
  end
end
return #expired
`,
)

const writeTokens = `
local function writeTokens(id, before, after)
  for hash in string.gmatch(before or '', '[^,]+') do redis.call('DEL', 'token:' .. hash) end
  for hash in string.gmatch(after, '[^,]+') do redis.call('SET', 'token:' .. hash, id) end
end
`

/** time, customer, rev, period, packs delta, plan, next plan, anchor, tokens, then further fields and their values */
export const apply = allowance(
  "apply",
  `
${writeTokens}
local id, rev, known = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local key = limitKey(id)
local h = redis.call('HMGET', key, 'rev', 'period', 'periodEnd', 'plan', 'packs', 'used', 'tokens', 'anchor')
if not h[1] then return 'absent' end
if rev <= tonumber(h[1]) then return 'skipped' end
if rev ~= h[1] + 1 then return 'gap' end
local l = {period = tonumber(h[2]), periodEnd = tonumber(h[3]), plan = tonumber(h[4]), packs = tonumber(h[5]),
  used = tonumber(h[6]), nextPlan = tonumber(ARGV[7]), anchor = tonumber(ARGV[8])}
-- Who comes back begins another month: an anchor that is moved into the running period ends it there.
if l.period <= known and l.anchor > tonumber(h[8]) and l.anchor < l.periodEnd then
  l.periodEnd = l.anchor
  redis.call('HSET', key, 'periodEnd', ARGV[8])
end
while l.period < known do rollOver(key, id, l) end
if l.period == known then
  l.plan = ARGV[6]
else
  local old = redis.call('HMGET', key, 'used:' .. known, 'plan:' .. known)
  if old[2] then
    l.packs = math.max(0, l.packs + beyond(old[1], old[2]) - beyond(old[1], ARGV[6]))
    redis.call('HSET', key, 'plan:' .. known, ARGV[6])
  end
end
writeTokens(id, h[7], ARGV[9])
redis.call('HSET', key, 'rev', rev, 'plan', l.plan, 'nextPlan', ARGV[7], 'anchor', ARGV[8], 'tokens', ARGV[9],
  'packs', math.max(0, l.packs + ARGV[5]), unpack(ARGV, 10))
return 'applied'
`,
)

/**
 * time, customer, the snapshot's epoch and cursor, the epoch and cursor up to which the stream is in the fields, rev,
 * tokens, how many calls are known to be counted, these calls, then every field and its value. `again`: the stream has
 * moved. `stale`: what the snapshot lacks has left the stream.
 */
export const rebuild = allowance(
  "rebuild",
  `
${writeTokens}
local id, rev, calls = ARGV[2], tonumber(ARGV[7]), tonumber(ARGV[9])
local key = limitKey(id)
local place = redis.call('HMGET', 'usage:epoch', 'id', 'trimmed', 'rewound')
local h = redis.call('HMGET', key, 'rev', 'rewound', 'tokens')
if h[1] and tonumber(h[1]) >= rev and h[2] == place[3] then return 'present' end
if (place[1] or '') ~= ARGV[5] then return 'again' end
if place[1] then
  if isLater(place[2], knownOf(place, ARGV[3], ARGV[4])) then return 'stale' end
  -- It has lost its tail since it was read.
  if not knows(ARGV[6], place[2]) then return 'again' end
  local later = redis.call('XRANGE', 'usage:events', '(' .. ARGV[6], '+', 'COUNT', 1000)
  if #later == 1000 then return 'again' end
  for _, entry in ipairs(later) do
    if entry[2][4] == id then return 'again' end
  end
end
for at = 10, 9 + calls do
  drop(id, ARGV[at])
  redis.call('SET', markerKey(id, ARGV[at]), 'settled', 'EX', MARKER)
end
local held, heldBackground = heldBy(id)
redis.call('DEL', key)
writeTokens(id, h[3], ARGV[8])
if place[3] then redis.call('HSET', key, 'rewound', place[3]) end
redis.call('HSET', key, 'held', held, 'heldBackground', heldBackground, 'tokens', ARGV[8], unpack(ARGV, 10 + calls))
return 'rebuilt'
`,
)

/**
 * time, customer, the snapshot's epoch and cursor; answers the time, the hash, what the open holds amount to and the
 * customer's entries after that place, all as of one instant
 */
export const compare = allowance(
  "compare",
  `
local id = ARGV[2]
local hash = redis.call('HGETALL', limitKey(id))
local place = redis.call('HMGET', 'usage:epoch', 'id', 'trimmed', 'rewound')
if #hash == 0 or redis.call('HGET', limitKey(id), 'rewound') ~= place[3] then return {'outdated'} end
local own = {}
if place[1] then
  local known = knownOf(place, ARGV[3], ARGV[4])
  if isLater(place[2], known) or not knows(known, place[2]) then return {'stale'} end
  local later = redis.call('XRANGE', 'usage:events', '(' .. known, '+', 'COUNT', 1000)
  if #later == 1000 then return {'stale'} end
  for _, entry in ipairs(later) do
    if entry[2][4] == id then own[#own + 1] = entry end
  end
end
return {int(now), hash, {heldBy(id)}, own}
`,
)

/** time, customer */
export const forget = allowance(
  "forget",
  `
${writeTokens}
writeTokens(ARGV[2], redis.call('HGET', limitKey(ARGV[2]), 'tokens'), '')
redis.call('DEL', limitKey(ARGV[2]))
`,
)

/** time, then customers and their newest rev; answers those whose hash is missing, behind, or of before the stream was rewound */
export const outdated = allowance(
  "outdated",
  `
local found = {}
local rewound = redis.call('HGET', 'usage:epoch', 'rewound')
for place = 2, #ARGV, 2 do
  local h = redis.call('HMGET', limitKey(ARGV[place]), 'rev', 'rewound')
  if not h[1] or tonumber(h[1]) < tonumber(ARGV[place + 1]) or h[2] ~= rewound then found[#found + 1] = ARGV[place] end
end
return found
`,
)

/** time; answers the epoch of the stream and the age of its oldest event in ms, both by Redis' own time */
export const pulse = allowance(
  "pulse",
  `
local t = redis.call('TIME')
local oldest = redis.call('XRANGE', 'usage:events', '-', '+', 'COUNT', 1)[1]
local lag = oldest and t[1] * 1000 + math.floor(t[2] / 1000) - string.match(oldest[1], '^%d+') or 0
return {redis.call('HGET', 'usage:epoch', 'id') or '', math.max(0, lag)}
`,
)

/** time, customer; answers the time and the hash */
export const view = allowance(
  "view",
  `
return {int(now), redis.call('HGETALL', limitKey(ARGV[2]))}
`,
)
