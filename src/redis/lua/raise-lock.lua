-- Lifts the counter of a name under an attempt that holds it, so that a majority can agree on one token.
--   KEYS[2]  hold of the name (hash)            KEYS[3]  counters, current generation (hash)
--   KEYS[4]  counters, older generation (hash)
--   ARGV[2]  counter field of the name          ARGV[3]  nonce of the attempt
--   ARGV[4]  counter to reach
-- Returns {1, counter}, or {0} when the hold has no such nonce.

if redis.call('HEXISTS', KEYS[2], 'nonce:' .. ARGV[3]) == 0 then return { 0 } end
local counter = math.max(eff(KEYS[3], KEYS[4], ARGV[2]), tonumber(ARGV[4]))
issue(KEYS[3], ARGV[2], counter)
redis.call('HSET', KEYS[2], 'counter', int(counter))
return { 1, int(counter) }
