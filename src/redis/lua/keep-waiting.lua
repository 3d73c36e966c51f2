-- Says that a service instance lives: the places in line of one that does not are given up.
--   KEYS[2]  its liveness    ARGV[2]  for how long it is believed, ms
-- Returns {1}.

redis.call('SET', KEYS[2], 1, 'PX', ARGV[2])
return { 1 }
