-- Second half of an agreement (Paxos): accepts a value, if no higher ballot was promised.
--   KEYS[2]  the acceptor's memory of what is being agreed (hash)
--   ARGV[2]  ballot    ARGV[3]  value
-- Returns {1}; {0, ballot promised}: a higher one was promised.

local promised = redis.call('HGET', KEYS[2], 'promised')
if promised and promised > ARGV[2] then return { 0, promised } end
redis.call('HSET', KEYS[2], 'promised', ARGV[2], 'ballot', ARGV[2], 'value', ARGV[3])
return { 1 }
