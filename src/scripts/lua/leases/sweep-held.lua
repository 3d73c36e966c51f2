-- Removes names that nobody holds any more from the list of held names: those of leases that expired unreleased. Looks at
-- one part of the list, after the part that was looked at last, if that is due by now, no matter which instance calls.
--   KEYS[2]  names that are held (sorted set)
--   ARGV[2]  prefix of the keys of holds    ARGV[3]  number of parts that make up the list; a part has at least 100 names
--   ARGV[4]  maximum names in a part; each takes some microseconds    ARGV[5]  pause between two parts, ms: shorter if
--            the list has more names than that many parts hold, and a quarter after a part of which half was removed
--   ARGV[6]  the shortest pause, ms
-- Returns {how many were forgotten, how many ms until the next part is due}.

local state = redis.call('HMGET', KEYS[1], 'swept', 'sweeping', 'sweep_due')
local time, after, largest, pause = now(), state[1] or '', tonumber(ARGV[4]), tonumber(ARGV[5])
local early = tonumber(state[3] or 0) - time
-- A clock that was set back must not stop the sweep.
if early > 0 and early <= pause then return { 0, early } end

local size = redis.call('ZCARD', KEYS[2])
-- In an idle deployment nothing is written.
if size == 0 and after == '' then return { 0, pause } end
local most = math.max(100, math.ceil(size / tonumber(ARGV[3])))
-- Never less than at the beginning of the list: if parts shrank along with it, they would never reach its end.
if after ~= '' then most = math.max(most, tonumber(state[2] or 0)) end
most = math.min(most, largest)
local listed = redis.call('ZRANGEBYLEX', KEYS[2], after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, most)
local forgotten = 0
for _, name in ipairs(listed) do
  local key = ARGV[2] .. name
  if redis.call('EXISTS', key, key .. '/readers') == 0 then
    redis.call('ZREM', KEYS[2], name)
    forgotten = forgotten + 1
  end
end

local parts = tonumber(ARGV[3])
if size > most * parts then pause = pause * most * parts / size end
if forgotten >= 50 and forgotten * 2 >= #listed then pause = pause / 4 end
pause = math.max(tonumber(ARGV[6]), math.floor(pause))
local swept = #listed == most and listed[most] or ''
redis.call('HSET', KEYS[1], 'swept', swept, 'sweeping', most, 'sweep_due', int(time + pause))
return { forgotten, pause }
