-- Takes over leases in the list of a member from another primary. Of two grants of one leaseId the later stays.
--   KEYS[2]  list of the member (hash)
--   ARGV[2]  for how long the list is kept, ms    ARGV[2i + 1]  leaseId    ARGV[2i + 2]  its token and the lease as text
-- Needs: lifetimes
-- Returns {1}.

local function token_of(text) return tonumber(string.match(text, '^%d+')) end

for i = 3, #ARGV, 2 do
  local here = redis.call('HGET', KEYS[2], ARGV[i])
  if not here or token_of(here) < token_of(ARGV[i + 1]) then redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
end
keep_for(KEYS[2], tonumber(ARGV[2]))
return { 1 }
