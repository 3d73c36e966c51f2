-- Reads the guard of a service against mass expiry. Changes nothing.
--   KEYS[2]  the guard (hash)
-- Returns {1, time until it ends in ms, below zero where it has, time until another may begin in ms}; {0} where there is none.

local ends = redis.call('HGET', KEYS[2], 'until')
if not ends then return { 0 } end
return { 1, int(tonumber(ends) - now()), redis.call('PTTL', KEYS[2]) }
