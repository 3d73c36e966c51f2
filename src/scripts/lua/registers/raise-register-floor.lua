-- Raises the floor of ballots of a primary; it never falls.
--   ARGV[2]  floor: nothing below it is promised or accepted from now on
-- Returns {the floor}.
-- Needs: registers

local floor = fence[5] or NONE
if floor < ARGV[2] then
  floor = ARGV[2]
  redis.call('HSET', KEYS[1], 'register_floor', floor)
end
return { floor }
