-- Takes the turn at work that one instance does at a time, or keeps it. Nothing relies on it: two that work at once do no harm.
--   KEYS[2]  whose turn it is (string)
--   ARGV[2]  nonce of the instance    ARGV[3]  for how long, ms
-- Returns {1}; {0}: it is another's.

local theirs = redis.call('GET', KEYS[2])
if theirs and theirs ~= ARGV[2] then return { 0 } end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return { 1 }
