/**
 * The allowance as scripts: each is one atomic step and one round trip, and each bears being repeated. They decide what
 * the pure rules of `Allowance/` decide. A `call` is "<request>:<attempt>"; ARGV[1] is the time (see Prelude.ts).
 */
import { script } from "../RedisClient.ts"
import { prelude } from "./Prelude.ts"

const allowance = (name: string, lua: string) => script(`Allowance.${name}`, prelude + lua)

/** time, customer, token hash, call, prompt, completion, floor, backlog limit */
export const admit = allowance(
  "admit",
  `
local id, token, call = ARGV[2], ARGV[3], ARGV[4]
local prompt, completion, floor = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local key = limitKey(id)
local h = redis.call('HMGET', key, 'tokens', 'blocked', 'paused', 'periodEnd', 'serviceUntil', 'period', 'plan',
  'packs', 'used', 'held', 'tier')
if not h[1] then return {'Absent'} end
if not string.find(',' .. h[1] .. ',', ',' .. token .. ',', 1, true) then return {'Revoked'} end
if h[2] == '1' then return {'Blocked'} end
if h[3] == '1' then return {'Paused'} end

local periodEnd, period, held, tier = tonumber(h[4]), tonumber(h[6]), tonumber(h[10]), h[11]
local plan, packs, used = tonumber(h[7]), tonumber(h[8]), tonumber(h[9])
local open = redis.call('HGET', holdsKey(id), call)
if open then
  local of, ask = string.match(open, '^(%d+):(%d+)$')
  return {'Admitted', tonumber(of), tonumber(ask), plan + packs - used - held, plan + packs, periodEnd, tier}
end

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
if used + least > limit then return {'Exhausted', used, limit, periodEnd} end
if used + held + least > limit then return {'Busy', limit, periodEnd} end
local ask = prompt + math.min(completion, limit - used - held - prompt)
keep(id, call, period, ask)
redis.call('HINCRBY', key, 'held', ask)
return {'Admitted', period, ask, limit - used - held - ask, limit, periodEnd, tier}
`,
)

/** time, customer, call, period, charge, data of the event */
export const settle = allowance(
  "settle",
  `
local id, call, period = ARGV[2], ARGV[3], tonumber(ARGV[4])
local marker = redis.call('GET', markerKey(id, call))
if marker == 'settled' then return 'repeat' end
redis.call('SET', markerKey(id, call), 'settled', 'EX', MARKER)
drop(id, call)
if redis.call('EXISTS', limitKey(id)) == 1 then charge(limitKey(id), period, tonumber(ARGV[5])) end
append(marker == 'lost' and 'correction' or 'usage', id, period, ARGV[6])
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

/** time, customer, call, period, ask */
export const renew = allowance(
  "renew",
  `
local id, call, ask = ARGV[2], ARGV[3], tonumber(ARGV[5])
if redis.call('HEXISTS', holdsKey(id), call) == 1 then
  redis.call('ZADD', 'holds', now + HOLD, id .. ':' .. call)
  return
end
local marker = redis.call('GET', markerKey(id, call))
if marker == 'settled' or marker == 'released' then return end
keep(id, call, ARGV[4], ask)
if redis.call('EXISTS', limitKey(id)) == 1 then redis.call('HINCRBY', limitKey(id), 'held', ask) end
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
local h = redis.call('HMGET', key, 'rev', 'period', 'periodEnd', 'plan', 'packs', 'used', 'tokens')
if not h[1] then return 'absent' end
if rev <= tonumber(h[1]) then return 'skipped' end
if rev ~= h[1] + 1 then return 'gap' end
local l = {period = tonumber(h[2]), periodEnd = tonumber(h[3]), plan = tonumber(h[4]), packs = tonumber(h[5]),
  used = tonumber(h[6]), nextPlan = tonumber(ARGV[7]), anchor = tonumber(ARGV[8])}
while l.period < known do rollOver(key, id, l) end
if l.period == known then l.plan = ARGV[6] end
writeTokens(id, h[7], ARGV[9])
redis.call('HSET', key, 'rev', rev, 'plan', l.plan, 'nextPlan', ARGV[7], 'anchor', ARGV[8], 'tokens', ARGV[9],
  'packs', math.max(0, l.packs + ARGV[5]), unpack(ARGV, 10))
return 'applied'
`,
)

/**
 * time, customer, the snapshot's epoch and cursor, the epoch and cursor up to which the stream is in the fields, tokens,
 * then every field and its value. `again`: the stream has moved. `stale`: what the snapshot lacks has left the stream.
 */
export const rebuild = allowance(
  "rebuild",
  `
${writeTokens}
local id = ARGV[2]
local key = limitKey(id)
if redis.call('EXISTS', key) == 1 then return 'present' end
local place = redis.call('HMGET', 'usage:epoch', 'id', 'trimmed')
if (place[1] or '') ~= ARGV[5] then return 'again' end
if place[1] then
  local known = place[1] == ARGV[3] and ARGV[4] or '0-0'
  local ms, seq = string.match(place[2], '^(%d+)-(%d+)$')
  local knownMs, knownSeq = string.match(known, '^(%d+)-(%d+)$')
  ms, seq, knownMs, knownSeq = tonumber(ms), tonumber(seq), tonumber(knownMs), tonumber(knownSeq)
  if ms > knownMs or (ms == knownMs and seq > knownSeq) then return 'stale' end
  local later = redis.call('XRANGE', 'usage:events', '(' .. ARGV[6], '+', 'COUNT', 1000)
  if #later == 1000 then return 'again' end
  for _, entry in ipairs(later) do
    if entry[2][4] == id then return 'again' end
  end
end
local held = 0
for _, open in ipairs(redis.call('HVALS', holdsKey(id))) do held = held + string.match(open, ':(%d+)$') end
writeTokens(id, nil, ARGV[7])
redis.call('HSET', key, 'held', held, 'tokens', ARGV[7], unpack(ARGV, 8))
return 'rebuilt'
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

/** time, customers; answers those without a hash */
export const absent = allowance(
  "absent",
  `
local missing = {}
for place = 2, #ARGV do
  if redis.call('EXISTS', limitKey(ARGV[place])) == 0 then missing[#missing + 1] = ARGV[place] end
end
return missing
`,
)

/** time, customer; answers the time and the hash */
export const view = allowance(
  "view",
  `
return {int(now), redis.call('HGETALL', limitKey(ARGV[2]))}
`,
)
