-- Forgets the counters of names that were not used for a whole generation: the current generation becomes the older one,
-- and the older one is replaced by a floor above all its counters. The floor is rounded up, so that primaries agree on it.
--   KEYS[2]  counters, current generation (hash)   KEYS[3]  counters, older generation (hash)
--   ARGV[2]  minimum age at which the current generation is rotated, ms
--   ARGV[3]  the highest floor of any primary: where floors differ, a name that is new to all takes two round trips
--   ARGV[4]  number of counters at which the current generation is rotated, whatever its age
-- Returns {1}: rotated; {0}: not yet due.

local known, highest = tonumber(fence[2] or 0), tonumber(ARGV[3])
if known < highest then redis.call('HSET', KEYS[1], 'floor', int(highest)) end

local time = now()
local rotated_at = tonumber(redis.call('HGET', KEYS[1], 'rotated_at') or 0)
-- A clock that was set back must not stop rotation for ever: a rotation time in the future counts as due.
local young = rotated_at <= time and time - rotated_at < tonumber(ARGV[2])
if young and redis.call('HLEN', KEYS[2]) < tonumber(ARGV[4]) then return { 0 } end

local max = tonumber(redis.call('HGET', KEYS[3], 'max') or 0)
local step = 1048576
local floor = math.max(known, highest, math.ceil(max / step) * step)
redis.call('UNLINK', KEYS[3])
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[3]) end
redis.call('HSET', KEYS[1], 'floor', int(floor), 'rotated_at', int(time))
redis.call('HINCRBY', KEYS[1], 'rotations', 1)
return { 1 }
