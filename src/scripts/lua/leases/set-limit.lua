-- Sets the limit of a semaphore, for an operator. Slots above it may still be taken for a while.
--   KEYS[2]  limit    ARGV[2]  limit    ARGV[3]  how long it is kept when nobody acquires, ms
-- Returns {1}.

local stored = redis.call('GET', KEYS[2]) or '0/0'
local highest = math.max(tonumber(string.match(stored, '^%d+')), tonumber(string.match(stored, '%d+$')), tonumber(ARGV[2]))
redis.call('SET', KEYS[2], ARGV[2] .. '/' .. highest, 'PX', ARGV[3])
return { 1 }
