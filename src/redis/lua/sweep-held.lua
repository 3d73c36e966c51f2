-- Forgets names in the list of those that are held which nobody holds any more: leases that were not released. Looks at
-- a part of the list, behind the part that was looked at last.
--   KEYS[2]  names that are held (sorted set)
--   ARGV[2]  what the keys of holds begin with    ARGV[3]  the part is one in so many, but 100 names at least
-- Returns {how many were forgotten}.

local most = math.min(5000, math.max(100, math.ceil(redis.call('ZCARD', KEYS[2]) / tonumber(ARGV[3]))))
local after = redis.call('HGET', KEYS[1], 'swept') or ''
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
if swept ~= after then redis.call('HSET', KEYS[1], 'swept', swept) end
return { forgotten }
