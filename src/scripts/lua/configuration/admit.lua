-- Admits this primary once it has been copied to: from now on it takes part.
--   ARGV[2]  configuration epoch of a member    ARGV[3]  floor: no counter starts below it
--   ARGV[4]  time for which no new lease is granted, ms
-- Returns {1}.

-- Its own lease high-water mark does not count: any lease that it voted for is covered by those of the majority from
-- which it was copied, and if it was a replica, its mark is a time of another server's clock.
local time = now()
local quarantine = tonumber(ARGV[4]) > 0 and time + tonumber(ARGV[4]) or 0
redis.call('HSET', KEYS[1], 'stamp', ARGV[2], 'stage', 'member',
  'floor', int(math.max(tonumber(fence[2] or 0), tonumber(ARGV[3]))),
  'quarantine_until', int(quarantine),
  -- The leases that this primary forgot stay covered by its mark, in case another primary forgets as well.
  'leases_until', int(quarantine))
redis.call('HSETNX', KEYS[1], 'rotated_at', int(time))
return { 1 }
