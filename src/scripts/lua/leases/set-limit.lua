-- Sets the limit of a semaphore, for an operator. Slots above it may still be taken for a while.
--   KEYS[2]  limit    ARGV[2]  limit    ARGV[3]  how long it is kept if nobody acquires, ms
-- Returns {1}.
-- Needs: limits

local key, limit, kept = KEYS[2], ARGV[2], ARGV[3]
local before, highest = read_limit(key)
redis.call('SET', key, stored_limit(limit, math.max(before or 0, highest or 0, tonumber(limit))), 'PX', kept)
return { 1 }
