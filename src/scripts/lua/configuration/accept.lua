-- Second half of an agreement (Paxos): accepts a value unless a higher ballot was promised.
--   KEYS[2]  the acceptor's state of this agreement (hash)
--   ARGV[2]  ballot    ARGV[3]  value
-- Returns {1}; {0, ballot promised}: a higher ballot was promised.

local promised = redis.call('HGET', KEYS[2], 'promised')
if promised and promised > ARGV[2] then return { 0, promised } end
redis.call('HSET', KEYS[2], 'promised', ARGV[2], 'ballot', ARGV[2], 'value', ARGV[3])
return { 1 }
