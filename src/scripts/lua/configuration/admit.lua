-- Ends the copying: from now on this primary takes part.
--   ARGV[2]  stamp of a member    ARGV[3]  floor: no counter starts below
--   ARGV[4]  time for which no new lease is granted, ms
-- Returns {1}.

-- Its own marks do not count: whatever it voted for is marked by a majority that it was copied from, and where it was
-- a replica they are times of another server's clock.
local time = now()
local quarantine = tonumber(ARGV[4]) > 0 and time + tonumber(ARGV[4]) or 0
redis.call('HSET', KEYS[1], 'stamp', ARGV[2], 'stage', 'member',
  'floor', int(math.max(tonumber(fence[2] or 0), tonumber(ARGV[3]))),
  'quarantine_until', int(quarantine),
  -- Leases that this one forgot are still marked by it, should another forget as well.
  'leases_until', int(quarantine))
redis.call('HSETNX', KEYS[1], 'rotated_at', int(time))
return { 1 }
