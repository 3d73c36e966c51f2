-- Tells a part of the leases that are bound to a member, and keeps the list. One that is in it from the first part to the last is
-- told.
--   KEYS[2]  list of the member (hash)
--   ARGV[2]  cursor, '0' to begin    ARGV[3]  about how many to tell; each may have some KB
--   ARGV[4]  for how long the list is kept, ms
-- Needs: lifetimes
-- Returns {where to go on, or '0' at the end, {leaseId, its token and the lease as text} ...}.

if redis.call('EXISTS', KEYS[2]) == 1 then keep_for(KEYS[2], tonumber(ARGV[4]), 1000) end
local page = redis.call('HSCAN', KEYS[2], ARGV[2], 'COUNT', ARGV[3])
local found = { page[1] }
for i = 1, #page[2], 2 do found[#found + 1] = { page[2][i], page[2][i + 1] } end
return found
