-- Counts the members of services, without those that left. Changes nothing.
--   KEYS[2i], KEYS[2i + 1]  service i: deadlines of its members and tombstones; deadlines of its tombstones (sorted sets)
-- Returns per service {how many}.

local counts, from = {}, int(now())
for i = 1, (#KEYS - 1) / 2 do
  local all, left = redis.call('ZCOUNT', KEYS[2 * i], from, '+inf'), redis.call('ZCOUNT', KEYS[2 * i + 1], from, '+inf')
  counts[i] = { all - left }
end
return counts
