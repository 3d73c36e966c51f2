-- Scans a part of a sorted set of deadlines: its elements whose deadline has not passed, in no order. An element that is
-- in the set from the first part to the last is returned, however deadlines change meanwhile. Changes nothing.
--   KEYS[2]  the set (sorted set)
--   ARGV[2]  cursor, '0' to begin    ARGV[3]  about how many to look at; each takes a microsecond
--   ARGV[4]  elements whose deadline passed this long ago are returned as well, ms
--   ARGV[5]  a set of as many at most is one part: to read it by deadlines takes a third of what a scan does
-- Returns {where to go on, or '0' when all were told, each of them as a line of one text}: one is read faster than many.

local from = now() - tonumber(ARGV[4])
if ARGV[2] == '0' and redis.call('ZCARD', KEYS[2]) <= tonumber(ARGV[5]) then
  return { '0', table.concat(redis.call('ZRANGEBYSCORE', KEYS[2], int(from), '+inf'), '\n') }
end
local page = redis.call('ZSCAN', KEYS[2], ARGV[2], 'COUNT', ARGV[3])
local found = {}
for i = 1, #page[2], 2 do
  if tonumber(page[2][i + 1]) >= from then found[#found + 1] = page[2][i] end
end
return { page[1], table.concat(found, '\n') }
