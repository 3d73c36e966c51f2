-- Puts off when a register that was deleted may be removed: what is left of it is still needed.
--   KEYS[2]  registers that may be removed, by when they were noted (sorted set)
--   ARGV[2]  name of the register   ARGV[3]  how long from now it counts as noted, ms
-- Returns {1}.

redis.call('ZADD', KEYS[2], 'XX', int(now() + tonumber(ARGV[3])), ARGV[2])
return { 1 }
