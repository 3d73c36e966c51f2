-- Notes that a service has members to be probed.
--   KEYS[2]  services that have such members (sorted set of deadlines)
--   ARGV[2]  service    ARGV[3]  for how long this is to be known, ms
-- Returns {1}.

local time, lasts = now(), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(time))
redis.call('ZADD', KEYS[2], 'GT', int(time + lasts), ARGV[2])
if redis.call('PTTL', KEYS[2]) < lasts then redis.call('PEXPIRE', KEYS[2], lasts) end
return { 1 }
