-- Takes leases that have ended from the list of a member.
--   KEYS[2]  list of the member (hash)
--   ARGV[2i]  leaseId    ARGV[2i + 1]  its fencing token: a later grant of the same leaseId stays
-- Returns {1}.

for i = 2, #ARGV, 2 do
  local known = redis.call('HGET', KEYS[2], ARGV[i])
  if known and tonumber(string.match(known, '^%d+')) <= tonumber(ARGV[i + 1]) then redis.call('HDEL', KEYS[2], ARGV[i]) end
end
return { 1 }
