-- Forgets names in the list of those that are held which nobody holds any more: leases that were not released. Looks at
-- a part of the list, behind the part that was looked at last.
--   KEYS[2]  names that are held (sorted set)
--   ARGV[2]  what the keys of holds begin with    ARGV[3]  the part is one in so many, but 100 names at least
--   ARGV[4]  names in a part, at most: some microseconds each
-- Returns {how many were forgotten}.

local state = redis.call('HMGET', KEYS[1], 'swept', 'sweeping')
local after = state[1] or ''
local most = math.min(tonumber(ARGV[4]), math.max(100, math.ceil(redis.call('ZCARD', KEYS[2]) / tonumber(ARGV[3]))))
-- As much as at the beginning of the list: parts that got smaller with it would never come to its end.
if after ~= '' then most = math.max(most, tonumber(state[2] or 0)) end
local listed = redis.call('ZRANGEBYLEX', KEYS[2], after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, most)
local forgotten = 0
for _, name in ipairs(listed) do
  local key = ARGV[2] .. name
  if redis.call('EXISTS', key, key .. '/readers') == 0 then
    redis.call('ZREM', KEYS[2], name)
    forgotten = forgotten + 1
  end
end
local swept = #listed == most and listed[most] or ''
if swept ~= after then redis.call('HSET', KEYS[1], 'swept', swept, 'sweeping', most) end
return { forgotten }
